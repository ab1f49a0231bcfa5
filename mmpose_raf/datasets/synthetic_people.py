"""A dataset of rendered people with COCO's keypoints."""

from typing import Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from mmpose_raf.datasets.people.figure import Figure, sample_figure
from mmpose_raf.datasets.people.rendering import render_figure
from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size

#: Smallest image side in pixels: below it, limbs are thinner than a pixel.
MIN_IMAGE_SIDE = 32


@DATASETS.register_module()
class SyntheticPoseDataset(BaseCocoStyleDataset):
    """Rendered people with exact keypoints, for trials without any data.

    Each image holds one person before a cluttered background. It is drawn
    when it is asked for, and nothing is written to disk. An image and its
    annotation depend on ``seed``, the sample's index and ``image_size`` alone:
    not on other samples, the process or any global random state. Let training
    and validation have different seeds.

    The person's 3:4 box spans 54 % to 78 % of the image's height (of 4/3 of
    its width, if that is less). So at the default size a crop with the usual
    padding of 1.25 holds 512x384 pixels or more, unless the border cuts the
    person off. A smaller ``image_size`` gives smaller people, as a camera of
    low resolution does.

    Keypoint flags follow COCO:

    - 2: visible;
    - 1: labelled, but covered by another body part, by hair or by a thing in
      front of the person, or on the far side of a turned head;
    - 0, at (0, 0): outside the image, and nose and eyes of a person seen from
      the back. Its ears are labelled, for they can be located.

    ``get_data_info`` adds the BGR image ``img`` of shape (H, W, 3), which
    MMPose's ``LoadImage`` takes as it is. The metric ``CocoMetric`` works
    without an annotation file.

    Args:
        num_samples (int): Number of images, at least 1.
        seed (int): Seed of the dataset, at least 0. Defaults to 0.
        image_size (tuple[int, int]): Width and height of the images in
            pixels, each at least 32. Defaults to (576, 768).
        keep_images (bool): Whether images stay in memory once they are drawn
            (3 W H bytes each, in every worker that draws them), which makes
            the next epochs faster. Defaults to False.
        data_mode (str): ``'topdown'`` or ``'bottomup'``.
            Defaults to ``'topdown'``.
        metainfo (dict, optional): Meta information, by default COCO's.
        filter_cfg (dict, optional): Filter of the samples, see
            :class:`mmengine.dataset.BaseDataset`. Defaults to None.
        indices (int or Sequence[int], optional): Samples to keep. They stay
            the same images. By default all.
        serialize_data (bool): Whether workers share the annotations' memory.
            Defaults to True.
        pipeline (list): Transforms of a sample. Defaults to [].
        test_mode (bool): Whether the dataset serves evaluation.
            Defaults to False.
        lazy_init (bool): Whether to leave the annotations for later.
            Defaults to False.
        max_refetch (int): How many samples to try where the pipeline rejects
            one. Defaults to 1000.

    Raises:
        ConfigError: If ``num_samples``, ``seed`` or ``image_size`` is out of
            its range.

    Examples:
        >>> from mmpose_raf.datasets import SyntheticPoseDataset
        >>> dataset = SyntheticPoseDataset(num_samples=8, seed=1)
        >>> sample = dataset.get_data_info(3)
        >>> sample['img'].shape, sample['keypoints'].shape
        ((768, 576, 3), (1, 17, 2))
    """

    METAINFO: dict = dict(from_file='configs/_base_/datasets/coco.py')

    def __init__(self,
                 num_samples: int,
                 seed: int = 0,
                 image_size: Size = (576, 768),
                 keep_images: bool = False,
                 data_mode: str = 'topdown',
                 metainfo: Optional[dict] = None,
                 filter_cfg: Optional[dict] = None,
                 indices: Optional[Union[int, Sequence[int]]] = None,
                 serialize_data: bool = True,
                 pipeline: List[Union[dict, Callable]] = [],
                 test_mode: bool = False,
                 lazy_init: bool = False,
                 max_refetch: int = 1000):
        _check_at_least('num_samples', num_samples, 1)
        _check_at_least('seed', seed, 0)
        _check_image_size(image_size)
        self.num_samples = num_samples
        self.seed = seed
        self.image_size = tuple(image_size)
        self.keep_images = keep_images
        self._images: Dict[int, np.ndarray] = {}
        # CocoMetric opens any annotation file but None.
        super().__init__(
            ann_file=None,
            data_mode=data_mode,
            metainfo=metainfo,
            filter_cfg=filter_cfg,
            indices=indices,
            serialize_data=serialize_data,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch)
        # Not COCO's: CocoMetric looks up annotation files by this name.
        self._metainfo['dataset_name'] = 'synthetic_people'
        # CocoMetric writes the categories into its ground truth.
        self._metainfo['CLASSES'] = [dict(id=1, name='person')]

    def get_data_info(self, idx: int) -> dict:
        """Get the annotation of a sample, and draw its image.

        Args:
            idx (int): Index into the samples that the dataset keeps.

        Returns:
            dict: The fields of COCO's samples, and ``img``, the BGR image in
            shape (H, W, 3) of type uint8.
        """
        data_info = super().get_data_info(idx)
        data_info['img'] = self._draw(data_info['img_id'])
        return data_info

    def _draw(self, index: int) -> np.ndarray:
        """The image of one index."""
        if index in self._images:
            # Transforms may write into what they get.
            return self._images[index].copy()
        image = render_figure(*self._sample(index))
        if self.keep_images:
            self._images[index] = image.copy()
        return image

    def _sample(self, index: int) -> Tuple[Figure, np.random.Generator]:
        """The person of one index, and the generator of its picture."""
        rng = np.random.default_rng(
            np.random.SeedSequence([self.seed, index]))
        return sample_figure(rng, self.image_size), rng

    def _load_annotations(self) -> Tuple[List[dict], List[dict]]:
        """Annotate all samples; no image is drawn."""
        images = [self._describe_image(i) for i in range(self.num_samples)]
        instances = [
            self.parse_data_info(
                dict(
                    raw_ann_info=self._annotate(image['img_id']),
                    raw_img_info=image)) for image in images
        ]
        return instances, images

    def _describe_image(self, index: int) -> dict:
        width, height = self.image_size
        return dict(
            img_id=index,
            img_path=f'synthetic/seed{self.seed}/{index:06d}.png',
            width=width,
            height=height)

    def _annotate(self, index: int) -> dict:
        """COCO's annotation of the person of one index."""
        figure, _ = self._sample(index)
        keypoints = np.concatenate(
            [figure.keypoints, figure.visible[:, None]], axis=1)
        keypoints[figure.visible == 0] = 0.
        x1, y1, x2, y2 = figure.bbox.tolist()
        return dict(
            id=index + 1,  # COCO's evaluation takes 0 for "no match"
            image_id=index,
            category_id=1,
            iscrowd=0,
            bbox=[x1, y1, x2 - x1, y2 - y1],
            area=figure.area,
            keypoints=keypoints.ravel().tolist(),
            num_keypoints=int((figure.visible > 0).sum()))


def _check_at_least(name: str, value: int, minimum: int) -> None:
    if not isinstance(value, int) or value < minimum:
        raise ConfigError(f'SyntheticPoseDataset.{name}', f'got {value!r}',
                          f'give an integer of at least {minimum}')


def _check_image_size(image_size: Size) -> None:
    is_pair = isinstance(image_size, Sequence) and len(image_size) == 2
    if not is_pair or not all(
            isinstance(side, int) and side >= MIN_IMAGE_SIDE
            for side in image_size):
        raise ConfigError(
            'SyntheticPoseDataset.image_size', f'got {image_size!r}',
            'give width and height in pixels, each an integer of at least '
            f'{MIN_IMAGE_SIDE}')
