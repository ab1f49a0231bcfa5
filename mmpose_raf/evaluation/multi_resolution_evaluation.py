"""The evaluation of one model at many resolutions."""

import time
from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Sequence

import torch
from mmengine.evaluator import Evaluator
from torch import nn

from mmpose_raf.datasets.multi_view_dataset import MultiViewDataset
from mmpose_raf.sizes import Size
from .any_size import AnySizePredictor
from .drift_summary import pick_metric, rule_of, summarise_drift
from .view import View
from .view_evaluator import ViewEvaluator


@dataclass
class Shown:
    """A batch as it was shown in one view, and what the model said.

    Args:
        view (View): The view.
        batch (dict): ``inputs`` and ``data_samples`` as the model got them.
        predictions (list[PoseDataSample]): Samples with predictions.
        seconds (float): What the model needed for the batch.
    """

    view: View
    batch: dict
    predictions: list
    seconds: float


class MultiResolutionEvaluation:
    """Shows a model every person in several views and judges each view.

    Args:
        model (BasePoseEstimator): The model, not wrapped.
        dataset (BaseDataset): A top-down dataset in test mode, as built.
        evaluator (Evaluator): MMPose's metrics, built.
        views (list[View]): The views, the first of them plain.
        input_sizes (list[tuple[int, int]]): Sizes (w, h) of the plain views
            that are summarised.
        trained_sizes (list[tuple[int, int]]): Input sizes (w, h) seen in
            training.
        key_metric (str, optional): The metric to summarise. Defaults to
            None, see :func:`pick_metric`.
        upsample_mode (str): ``'bicubic'`` or ``'bilinear'``.

    Raises:
        ConfigError: If model, dataset and views do not fit together.
    """

    def __init__(self,
                 model: nn.Module,
                 dataset,
                 evaluator: Evaluator,
                 views: Sequence[View],
                 input_sizes: Sequence[Size],
                 trained_sizes: Sequence[Size],
                 key_metric: Optional[str] = None,
                 upsample_mode: str = 'bicubic'):
        self.model = model
        self.views = list(views)
        self.input_sizes = [tuple(size) for size in input_sizes]
        self.trained_sizes = [tuple(size) for size in trained_sizes]
        self.key_metric = key_metric
        self.upsample_mode = upsample_mode
        self.evaluator = ViewEvaluator(evaluator)
        self.predictor = AnySizePredictor(model, views)
        # An upsampled view starts from the crop of a plain one.
        self.crops = list(
            dict.fromkeys(
                (view.input_size, view.capture_size) for view in self.views))
        self.dataset = MultiViewDataset(dataset, self.crops,
                                        self.predictor.sigma_mode)

    def batch_of(self, view: View, batches: Sequence[dict]) -> dict:
        """Pick the batch of a view.

        Args:
            view (View): The view.
            batches (list[dict]): One batch for each crop, as collated.
        """
        crop = self.crops.index((view.input_size, view.capture_size))
        if view.upsample_to is None:
            return batches[crop]
        return self.predictor.enlarge(batches[crop], view.upsample_to,
                                      self.upsample_mode)

    def step(self, batches: Sequence[dict]) -> Iterator[Shown]:
        """Predict and judge a batch in all views, one after the other.

        Args:
            batches (list[dict]): One batch for each crop, as collated.
        """
        for view in self.views:
            batch = self.batch_of(view, batches)
            start = self._now()
            predictions = self.predict(batch)
            seconds = self._now() - start
            self.evaluator.process(view.name, predictions, batch)
            yield Shown(view, batch, predictions, seconds)

    def predict(self, batch: dict) -> list:
        """Predict a batch of one view.

        Args:
            batch (dict): ``inputs`` and ``data_samples``.

        Returns:
            list[PoseDataSample]: The samples, with predictions.
        """
        with torch.no_grad(), self.predictor.decoding():
            return self.model.test_step(batch)

    def _now(self) -> float:
        device = next(self.model.parameters()).device
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def finish(self) -> Dict[str, float]:
        """Compute the metrics of all views.

        Returns:
            dict: Each metric with the view's name before it, such as
            ``128x96/coco/AP``, and the summary of the key metric over the
            plain views, see :func:`summarise_drift`.
        """
        self.metrics = {
            view: self.evaluator.evaluate(view.name, len(self.dataset))
            for view in self.views
        }
        self.key_metric = pick_metric(self.metrics[self.views[0]],
                                      self.key_metric)
        self.rule = rule_of(self.key_metric)
        accuracy = {
            view.input_size: values[self.key_metric]
            for view, values in self.metrics.items()
            if view.is_plain and view.input_size in self.input_sizes
        }
        summary = summarise_drift(accuracy, self.trained_sizes, self.rule)
        named = {
            f'{view.name}/{key}': value
            for view, values in self.metrics.items()
            for key, value in values.items()
        }
        return dict(named, **summary)
