"""Annotations in COCO's format, as MMPose's ``BaseCocoStyleDataset`` reads."""

from typing import Any, Dict, List, Tuple

import numpy as np

from .findings import Findings
from .instances import Instances, check_numbers, is_number, is_row

IMAGE_FIELDS = ('id', 'file_name', 'width', 'height')
ANNOTATION_FIELDS = ('id', 'image_id', 'category_id')


def check_coco(content: dict, findings: Findings) -> Tuple[List[str], int]:
    """Check the images and annotations of a file.

    Args:
        content (dict): With the lists ``images`` and ``annotations``.
        findings (Findings): Where to note what is wrong.

    Returns:
        tuple[list[str], int]: File names of the images that training will
        read, and the number of instances.
    """
    _check_categories(content.get('categories', []), findings)
    images = _index_images(content['images'], findings)
    annotations = _check_fields(content['annotations'], findings)
    kept = _drop(annotations, images, findings)
    owners = [images[annotation['image_id']] for annotation in kept]
    check_numbers(
        Instances(
            [annotation['keypoints'] for annotation in kept],
            np.array([annotation['bbox'] for annotation in kept],
                     float).reshape(-1, 4),
            np.array([max(x['width'], x['height']) for x in owners], float),
            lambda i: _name(kept[i])), findings)
    names = {image['file_name'] for image in owners}
    return sorted(names), len(kept)


def _name(annotation: Any) -> str:
    if not isinstance(annotation, dict):
        return repr(annotation)[:40]
    return (f"annotation {annotation.get('id')!r} of image "
            f"{annotation.get('image_id')!r}")


def _name_image(image: Any) -> str:
    if not isinstance(image, dict):
        return repr(image)[:40]
    return f"image {image.get('id')!r} ({image.get('file_name')!r})"


def _is_id(value: Any) -> bool:
    return isinstance(value, (int, str))


def _check_categories(categories: Any, findings: Findings):
    if not isinstance(categories, list):
        categories = [categories]
    findings.refuse('categories without id and name', [
        i for i, category in enumerate(categories)
        if not isinstance(category, dict) or not _is_id(category.get('id'))
        or not isinstance(category.get('name'), str)
    ], lambda i: repr(categories[i])[:40])


def _index_images(images: list, findings: Findings) -> Dict[Any, dict]:
    """By their ids, those that can be used."""
    usable = [
        isinstance(image, dict) and type(image.get('id')) is int
        and isinstance(image.get('file_name'), str) and all(
            is_number(image.get(side)) and 0 < image[side] < np.inf
            for side in ('width', 'height')) for image in images
    ]
    findings.refuse(f'images without {", ".join(IMAGE_FIELDS)}',
                    np.flatnonzero(~np.array(usable, bool)),
                    lambda i: _name_image(images[i]))
    by_id: Dict[Any, dict] = {}
    twice = []
    for index, image in enumerate(images):
        if usable[index]:
            if image['id'] in by_id:
                twice.append(index)
            by_id[image['id']] = image
    findings.refuse('images with the id of another one', twice,
                    lambda i: _name_image(images[i]))
    return by_id


def _check_fields(annotations: list, findings: Findings) -> List[dict]:
    """Those with all ids."""
    usable, incomplete, twice, seen = [], [], [], set()
    for index, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not all(
                _is_id(annotation.get(field)) for field in ANNOTATION_FIELDS):
            incomplete.append(index)
            continue
        if annotation['id'] in seen:
            twice.append(index)
        seen.add(annotation['id'])
        usable.append(annotation)
    findings.refuse(f'annotations without {", ".join(ANNOTATION_FIELDS)}',
                    incomplete, lambda i: _name(annotations[i]))
    # Of two with one id, MMPose would use the last one twice.
    findings.refuse('annotations with the id of another one', twice,
                    lambda i: _name(annotations[i]))
    return usable


def _drop(annotations: List[dict], images: Dict[Any, dict],
          findings: Findings) -> List[dict]:
    """What is left of them when the dataset has left out the rest."""
    reasons: Dict[str, List[int]] = {}
    kept = []
    for index, annotation in enumerate(annotations):
        reason = _reason_to_drop(annotation, images)
        if reason:
            reasons.setdefault(reason, []).append(index)
        else:
            kept.append(annotation)
    for reason, hits in reasons.items():
        note = findings.refuse if reason in _UNREADABLE else findings.drop
        note(reason, hits, lambda i: _name(annotations[i]))
    return kept


_NO_BOX = 'boxes that are not four numbers'
_NO_AREA = 'areas that are no number'
_NO_KEYPOINTS = 'keypoints that are no numbers in threes'
# MMPose converts them before it decides what to drop.
_UNREADABLE = (_NO_BOX, _NO_AREA, _NO_KEYPOINTS)


def _reason_to_drop(annotation: dict, images: Dict[Any, dict]) -> str:
    """As ``parse_data_info`` and ``_is_valid_instance`` decide."""
    image = images.get(annotation['image_id'])
    if image is None:
        return 'the image is not listed'
    if 'bbox' not in annotation or 'keypoints' not in annotation:
        return 'no bbox or no keypoints'
    if not is_row(annotation['bbox'], 4):
        return _NO_BOX
    if not is_number(annotation.get('area', 0)):
        return _NO_AREA
    reason = _reason_to_drop_read(annotation, image)
    # Those of the others are looked at all together.
    if reason and not _is_triples(annotation['keypoints']):
        return _NO_KEYPOINTS
    return reason


def _is_triples(keypoints: Any) -> bool:
    return isinstance(keypoints, list) and len(
        keypoints) % 3 == 0 and len(keypoints) > 0 and is_row(
            keypoints, len(keypoints))


def _reason_to_drop_read(annotation: dict, image: dict) -> str:
    if annotation.get('iscrowd'):
        return 'a crowd (iscrowd)'
    if annotation.get('num_keypoints') == 0:
        return 'no labelled keypoint (num_keypoints)'
    keypoints = annotation['keypoints']
    if isinstance(keypoints, list) and keypoints and all(
            is_number(value) and value <= 0
            for i, value in enumerate(keypoints) if i % 3 < 2):
        return 'no keypoint at a positive place'
    left, top, width, height = annotation['bbox']
    right, bottom = left + width, top + height
    # Comparisons with NaN are false: such a box is kept, and refused.
    last_x, last_y = image['width'] - 1, image['height'] - 1
    if width <= 0 or height <= 0 or min(right, last_x) <= max(
            left, 0) or min(bottom, last_y) <= max(top, 0):
        return 'no part of the box lies in the image'
    return ''
