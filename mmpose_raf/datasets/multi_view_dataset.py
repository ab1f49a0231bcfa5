"""A dataset that shows every person at several resolutions."""

import copy
from typing import Any, Callable, List, Optional, Sequence, Tuple

from mmengine.dataset import BaseDataset, Compose
from mmpose.datasets.transforms import TopdownAffine
from torch.utils.data import Dataset

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size
from .resized_pipeline import retarget_pipeline

FIELD = 'dataset.pipeline'


class MultiViewDataset(Dataset):
    """Crops each person at several sizes, all straight from the source.

    What comes before the crop, decoding the image above all, is done once
    for all sizes.

    Args:
        dataset (BaseDataset): A top-down dataset in test mode, as built.
        crops (list[tuple]): Input size (w, h) and capture size (w, h) or
            None of each crop, see :func:`retarget_pipeline`.
        sigma_mode (str): See :func:`retarget_pipeline`.

    Raises:
        ConfigError: If the dataset's pipeline has no crop.
    """

    def __init__(self, dataset: BaseDataset,
                 crops: Sequence[Tuple[Size, Optional[Size]]],
                 sigma_mode: str):
        self.dataset = dataset
        if not hasattr(dataset, 'pipeline'):
            raise ConfigError('dataset',
                              f'{type(dataset).__name__} has no pipeline',
                              "use MMPose's CombinedDataset")
        transforms = dataset.pipeline.transforms
        pipelines = [
            retarget_pipeline(transforms, input_size, sigma_mode, capture_size,
                              FIELD) for input_size, capture_size in crops
        ]
        start = next(index for index, step in enumerate(transforms)
                     if isinstance(step, TopdownAffine))
        self.before_crop = Compose(transforms[:start])
        self.from_crop = [Compose(steps[start:]) for steps in pipelines]

    @property
    def metainfo(self) -> dict:
        """dict: Meta information of the dataset."""
        return self.dataset.metainfo

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> List[dict]:
        """Show one person in all views.

        Returns:
            list[dict]: What the pipeline gives, for each crop. The data
            samples know their ``sample_index`` in the dataset.

        Raises:
            RuntimeError: If the pipeline discards the sample, as MMEngine's
                datasets do in test mode.
        """
        data = self.before_crop(self.dataset.get_data_info(index))
        views = [] if data is None else [
            steps(_copy_annotation(data)) for steps in self.from_crop
        ]
        if not views or any(view is None for view in views):
            raise RuntimeError(f'the test pipeline discarded sample {index}')
        for view in views:
            view['data_samples'].set_metainfo(dict(sample_index=index))
        return views


class CollateViews:
    """Collates each view by itself: a list of batches, one for each view.

    Args:
        collate (callable): What collates the samples of one view.
    """

    def __init__(self, collate: Callable):
        self.collate = collate

    def __call__(self, samples: Sequence[List[dict]]) -> List[Any]:
        """Collate samples (person by person) to batches (view by view)."""
        return [self.collate(list(view)) for view in zip(*samples)]


def _copy_annotation(data: dict) -> dict:
    """A copy that later transforms may change; the image they replace."""
    shared = {key: data[key] for key in ('img', 'dataset') if key in data}
    own = {key: value for key, value in data.items() if key not in shared}
    return dict(copy.deepcopy(own), **shared)
