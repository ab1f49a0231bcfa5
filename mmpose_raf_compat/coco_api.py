"""pycocotools with the interface and the results of xtcocotools."""

from typing import Optional, Sequence

import numpy as np
from pycocotools.coco import COCO as _COCO
from pycocotools.cocoeval import COCOeval as _COCOeval


class COCO(_COCO):
    """Annotations, which may leave ``iscrowd`` out.

    Args:
        annotation_file (str, optional): A file in COCO's format.
    """

    def __init__(self, annotation_file: Optional[str] = None):
        super().__init__(annotation_file)
        for annotation in self.dataset.get('annotations', ()):
            annotation.setdefault('iscrowd', False)


class COCOeval(_COCOeval):
    """COCO's evaluation of keypoints, boxes or masks.

    Of keypoints it differs from pycocotools as xtcocotools does: visible
    keypoints are counted, not read from ``num_keypoints``; detections without
    any are left out; an annotation's id may be 0.

    Args:
        cocoGt (COCO): The ground truth.
        cocoDt (COCO): The detections.
        iouType (str): ``'keypoints'``, ``'bbox'`` or ``'segm'``. Defaults to
            ``'keypoints'``.
        sigmas (Sequence[float], optional): A keypoint's deviation in OKS, of
            each keypoint. Defaults to those of COCO's 17.
        use_area (bool): Whether annotations have an ``area``. If not, it is
            0.53 of the box. Defaults to True.

    Raises:
        ImportError: For xtcocotools' other kinds of keypoints.
    """

    def __init__(self,
                 cocoGt: Optional[_COCO] = None,
                 cocoDt: Optional[_COCO] = None,
                 iouType: str = 'keypoints',
                 sigmas: Optional[Sequence[float]] = None,
                 use_area: bool = True):
        if iouType not in ('keypoints', 'bbox', 'segm'):
            raise ImportError(
                f'iou_type={iouType!r} needs xtcocotools, in whose place '
                'pycocotools serves here; to build it (needs a C compiler '
                'and numpy 1): pip install xtcocotools')
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self.use_area = use_area

    def _prepare(self):
        if self.params.iouType != 'keypoints':
            super()._prepare()
            return
        for annotation in self.cocoGt.anns.values():
            annotation.setdefault('num_keypoints', _num_visible(annotation))
        super()._prepare()
        for key, annotations in self._gts.items():
            self._gts[key] = [
                self._ground_truth(annotation, number)
                for number, annotation in enumerate(annotations, start=1)
            ]
        for key, detections in self._dts.items():
            self._dts[key] = [dt for dt in detections if _num_visible(dt)]

    def _ground_truth(self, annotation: dict, number: int) -> dict:
        """A copy of an annotation as it shall be judged."""
        copy = dict(
            annotation,
            # pycocotools takes id 0 for "not matched".
            id=number,
            ignore=annotation.get('iscrowd') or not _num_visible(annotation))
        if not self.use_area:
            _, _, width, height = annotation['bbox']
            copy['area'] = width * height * 0.53
        return copy


def _num_visible(annotation: dict) -> int:
    return sum(visible > 0 for visible in annotation['keypoints'][2::3])
