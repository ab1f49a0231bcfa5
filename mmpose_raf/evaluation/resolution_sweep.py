"""One model, evaluated at many input sizes."""

import copy
from typing import Dict, List, Sequence, Tuple

import torch
from mmengine.dataset import BaseDataset, Compose, pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import DataLoader

from mmpose_raf.datasets.resized_pipeline import retarget_pipeline

Size = Tuple[int, int]


class ResolutionSweep:
    """Evaluates at one input size after the other.

    Every size gets its own crops, straight from the source images.

    Args:
        dataset (BaseDataset): A top-down dataset in test mode, as built.
        metrics (dict | list[dict]): Config of MMPose metrics.
        batch_size (int): Samples in a batch.
        num_workers (int): Worker processes that load images. Defaults to 0.
    """

    def __init__(self,
                 dataset: BaseDataset,
                 metrics,
                 batch_size: int,
                 num_workers: int = 0):
        # A view of its own: the caller's dataset keeps its pipeline.
        self.dataset = copy.copy(dataset)
        self.metrics = metrics
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.transforms = dataset.pipeline.transforms

    def crop_at(self, input_size: Size):
        """Let the dataset crop at an input size (w, h) in pixels."""
        self.dataset.pipeline = Compose(
            retarget_pipeline(self.transforms, input_size, 'pixel'))

    def evaluate(self, model: nn.Module,
                 input_sizes: Sequence[Size]) -> Dict[Size, Dict[str, float]]:
        """Evaluate a model.

        Args:
            model (BasePoseEstimator): A model that predicts at any size,
                e.g. with an :class:`AnyResolutionHeatmapHead`.
            input_sizes (list[tuple[int, int]]): Sizes (w, h) in pixels.

        Returns:
            dict: The metrics of each size.
        """
        model.eval()
        results = {}
        for input_size in input_sizes:
            self.crop_at(input_size)
            evaluator = Evaluator(self.metrics)
            evaluator.dataset_meta = self.dataset.metainfo
            loader = DataLoader(
                self.dataset,
                batch_size=self.batch_size,
                num_workers=self.num_workers,
                collate_fn=pseudo_collate)
            with torch.no_grad():
                for batch in loader:
                    evaluator.process(model.test_step(batch), batch)
            results[input_size] = evaluator.evaluate(len(self.dataset))
        return results

    def predict(self, model: nn.Module, input_size: Size,
                indices: Sequence[int]) -> Tuple[list, List[BaseDataElement]]:
        """Predict some samples.

        Args:
            model (BasePoseEstimator): The model.
            input_size (tuple[int, int]): Size (w, h) in pixels.
            indices (list[int]): Indices of the samples.

        Returns:
            tuple[list, list]: Crops as the model gets them, uint8 in shape
            (3, h, w) and BGR, and data samples with predictions.
        """
        model.eval()
        self.crop_at(input_size)
        batch = pseudo_collate([self.dataset[index] for index in indices])
        crops = list(batch['inputs'])
        with torch.no_grad():
            return crops, model.test_step(batch)
