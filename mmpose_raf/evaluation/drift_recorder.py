"""Gathers what a report on resolution drift needs beside the metrics."""

import platform
from collections import defaultdict
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

import torch
from mmengine.dataset import BaseDataset
from mmengine.evaluator import Evaluator

from mmpose_raf.federation.state_math import State, entries_replaced
from .dataset_fingerprint import dataset_fingerprint
from .drift_gallery import DriftGallery
from .drift_result import ClientResult, DriftResult, ViewResult
from .gallery_builder import GalleryBuilder
from .keypoint_accuracy import KeypointAccuracy
from .model_cost import count_gflops
from .multi_resolution_evaluation import MultiResolutionEvaluation, Shown
from .view import View
from .view_evaluator import ViewEvaluator, judge_partly


@dataclass(frozen=True)
class HeldOutPart:
    """The held-out part of a client.

    Args:
        name (str): Name of the client.
        view (View): Its own resolution.
        indices (frozenset[int]): Indices of its samples in the dataset.
    """

    name: str
    view: View
    indices: frozenset

    @property
    def key(self) -> str:
        """str: What tells the parts of a client of several sizes apart."""
        return f'{self.name}-{self.view.name}'


class DriftRecorder:
    """Watches an evaluation: ceiling, keypoints, cost, clients, persons.

    Boxes of a detector (``bbox_file``) come without keypoints: then there is
    neither a ceiling nor an accuracy of each keypoint.

    Args:
        evaluation (MultiResolutionEvaluation): What is watched.
        parts (list[HeldOutPart]): Held-out parts of the clients, whose views
            are among the evaluation's.
        part_evaluator (Evaluator, optional): The evaluation's metrics, built
            once more, for the parts; None if there are none.
        threshold (float): See ``keypoint_threshold`` in
            :class:`DriftResult`.
        num_persons (int): Persons in the gallery.

    Attributes:
        personal (dict[str, dict[str, Tensor]]): Entries of the model's state
            dict that a client has to itself, by its name: its part is judged
            with them. Empty unless somebody sets it.
    """

    def __init__(self, evaluation: MultiResolutionEvaluation,
                 parts: Sequence[HeldOutPart],
                 part_evaluator: Optional[Evaluator],
                 threshold: float, num_persons: int):
        self.evaluation = evaluation
        self.parts = parts
        self.personal: Dict[str, State] = {}
        self.threshold = threshold
        self.has_keypoints = has_keypoints(evaluation.dataset.dataset)
        metainfo = evaluation.dataset.metainfo
        if part_evaluator is not None:
            # CocoMetric writes the classes into a part's annotations;
            # combined datasets do not name them.
            classes = [dict(id=1, name='person')]
            part_evaluator.dataset_meta = dict(dict(CLASSES=classes),
                                               **metainfo)
            judge_partly(part_evaluator)
            self.part_metrics = ViewEvaluator(part_evaluator)
        keypoints = Evaluator([KeypointAccuracy(threshold, 'bbox')])
        keypoints.dataset_meta = metainfo
        self.keypoints = ViewEvaluator(keypoints)
        self.gallery = GalleryBuilder(metainfo, num_persons)
        self.laps: Dict[View, List[tuple]] = defaultdict(list)

    def record(self, shown: Shown):
        """Note a batch of one view."""
        view, predictions = shown.view, shown.predictions
        self.laps[view].append((shown.seconds, len(predictions)))
        if self.has_keypoints:
            self.keypoints.process(view.name, predictions, shown.batch)
            truth = self.evaluation.predictor.predict_truth(
                shown.batch['data_samples'], view)
            self.evaluation.evaluator.process(
                _ceiling_of(view), truth, shown.batch)
        self.gallery.add(view.name, shown.batch['inputs'], predictions)
        for part in self.parts:
            if part.view != view:
                continue
            own = [s for s in predictions if s.sample_index in part.indices]
            if own and part.name in self.personal:
                own = self._predict_personally(part, shown.batch)
            if own:
                self.part_metrics.process(part.key, own, shown.batch)

    def _predict_personally(self, part: HeldOutPart, batch: dict) -> list:
        """Predict the samples of a client's part with its own model."""
        inputs, samples = [], []
        for image, sample in zip(batch['inputs'], batch['data_samples']):
            if sample.sample_index in part.indices:
                inputs.append(image)
                samples.append(sample.new())  # which gets its own prediction
        own = self.personal[part.name]
        with entries_replaced(self.evaluation.model.state_dict(), own):
            return self.evaluation.predict(
                dict(inputs=inputs, data_samples=samples))

    def result(self, name: str) -> DriftResult:
        """Compute the result of the run of that name.

        The evaluation must have finished.
        """
        evaluation = self.evaluation
        dataset = evaluation.dataset
        size = len(dataset)
        metainfo = dataset.metainfo
        views = [
            ViewResult(
                view,
                _plain(metrics),
                self._ceiling(view),
                self._keypoint_accuracy(view),
                gflops=count_gflops(evaluation.model, view.model_size),
                milliseconds=_milliseconds(self.laps[view]))
            for view, metrics in evaluation.metrics.items()
        ]
        clients = [
            ClientResult(part.name, part.view, len(part.indices),
                         self._judge_part(part)) for part in self.parts
        ]
        names = metainfo['keypoint_id2name']
        return DriftResult(
            name=name,
            dataset=metainfo['dataset_name'],
            num_samples=size,
            fingerprint=dataset_fingerprint(dataset.dataset),
            key_metric=evaluation.key_metric,
            rule=evaluation.rule,
            trained_sizes=evaluation.trained_sizes,
            input_sizes=evaluation.input_sizes,
            keypoint_names=[names[index] for index in sorted(names)],
            keypoint_threshold=self.threshold,
            views=views,
            clients=clients,
            hardware=_hardware(next(evaluation.model.parameters()).device))

    def _ceiling(self, view: View) -> Dict[str, float]:
        if not self.has_keypoints:
            return {}
        return _plain(
            self.evaluation.evaluator.evaluate(
                _ceiling_of(view), len(self.evaluation.dataset)))

    def _keypoint_accuracy(self, view: View) -> List[Optional[float]]:
        dataset = self.evaluation.dataset
        if not self.has_keypoints:
            return [None] * len(dataset.metainfo['keypoint_id2name'])
        return self.keypoints.evaluate(view.name,
                                       len(dataset))['keypoint_accuracy']

    def _judge_part(self, part: HeldOutPart) -> Dict[str, float]:
        # Before each part: CocoMetric still has the last one's annotations.
        judge_partly(self.part_metrics.evaluator)
        return _plain(
            self.part_metrics.evaluate(part.key, len(part.indices)))

    def build_gallery(self) -> DriftGallery:
        """Return the first persons in all views."""
        return self.gallery.build()


def has_keypoints(dataset: BaseDataset) -> bool:
    """Whether the persons of a dataset are annotated, not detected."""
    return not getattr(dataset, 'bbox_file', None)


def _ceiling_of(view: View) -> str:
    return f'{view.name}-ceiling'


def _plain(metrics: Dict) -> Dict[str, float]:
    """Metrics as plain numbers, for JSON."""
    return {key: float(value) for key, value in metrics.items()}


def _milliseconds(laps: Sequence[tuple]) -> float:
    """Mean time for one person; the first batch warms up, if there are more.
    """
    warm = laps[1:] or laps
    seconds, samples = map(sum, zip(*warm))
    return 1000 * seconds / samples


def _hardware(device: torch.device) -> str:
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f'{platform.machine()} CPU, {threads} thread' + 's' * (threads > 1)
