"""What can be seen of a person in its image: flags, box and area."""

from typing import Tuple

import cv2
import numpy as np

from mmpose_raf.sizes import Size
from .outlines import DIRECTIONS, SHIFT, to_fixed_point
from .parts import KEYPOINTS, PARTS

_PART_IDS = {part: i for i, part in enumerate(PARTS)}

#: Parts whose surface a keypoint lies on: where one of them is seen, so is
#: the keypoint.
OWN_PARTS = {
    'nose': ('face', ),
    'eye': ('face', ),
    'ear': ('*_ear', ),
    'shoulder': ('*_upper_arm', 'torso'),
    'elbow': ('*_upper_arm', '*_forearm'),
    'wrist': ('*_forearm', '*_hand'),
    'hip': ('*_thigh', 'pelvis', 'torso', 'skirt'),
    'knee': ('*_thigh', '*_shank'),
    'ankle': ('*_shank', '*_foot'),
}


def _tabulate_own_parts() -> np.ndarray:
    """Whether a keypoint lies on a part, in shape (len(PARTS), 17)."""
    table = np.zeros((len(PARTS), len(KEYPOINTS)), dtype=bool)
    for k, keypoint in enumerate(KEYPOINTS):
        side, _, joint = keypoint.rpartition('_')
        for part in OWN_PARTS[joint]:
            table[_PART_IDS[part.replace('*', side)], k] = True
    return table


_IS_OWN = _tabulate_own_parts()


def find_visible(outlines: np.ndarray, names: Tuple[str, ...],
                 keypoints: np.ndarray, facing: bool,
                 eye_drawn: Tuple[bool, bool],
                 image_size: Size) -> np.ndarray:
    """Find COCO's visibility flags, from which parts cover which keypoints.

    Args:
        outlines (np.ndarray): Outlines of all P parts in pixels, from far to
            near, in shape (P, NUM_DIRECTIONS, 2).
        names (tuple[str]): Their names, of :data:`PARTS`.
        keypoints (np.ndarray): Coordinates in pixels, in shape (17, 2).
        facing (bool): Whether the person faces the camera.
        eye_drawn (tuple[bool, bool]): Whether the left and the right eye are
            on the side of the head that is seen.
        image_size (tuple[int, int]): Width and height in pixels.

    Returns:
        np.ndarray: Flags in shape (17, ): 0 not labelled, 1 labelled but
        hidden, 2 visible.
    """
    covers = _find_covering(outlines, keypoints)
    is_own = _IS_OWN[[_PART_IDS[name] for name in names]]
    nearest = len(names) - 1 - covers[::-1].argmax(axis=0)
    columns = np.arange(len(KEYPOINTS))
    hidden = covers.any(axis=0) & ~is_own[nearest, columns]
    visible = np.where(hidden, 1, 2)

    visible[1:3] = np.where(eye_drawn, visible[1:3], 1)
    if not facing:
        visible[:3] = 0
    last = np.array(image_size) - 1
    inside = ((keypoints >= 0) & (keypoints <= last)).all(axis=1)
    return np.where(inside, visible, 0)


def find_bbox(outlines: np.ndarray, image_size: Size) -> np.ndarray:
    """Find the box (x1, y1, x2, y2) of what lies within the image.

    Args:
        outlines (np.ndarray): Outlines of the person's parts in pixels, in
            shape (P, NUM_DIRECTIONS, 2).
        image_size (tuple[int, int]): Width and height in pixels.
    """
    points = outlines.reshape(-1, 2)
    last = np.array(image_size, dtype=float) - 1
    if points.min() < 0 or (points > last).any():
        crossings = _cross_border(outlines, last)
        points = np.concatenate([points, crossings])
        inside = ((points > -1e-6) & (points < last + 1e-6)).all(axis=1)
        points = points[inside].clip(0., last)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def measure_area(outlines: np.ndarray, names: Tuple[str, ...],
                 image_size: Size) -> float:
    """Measure the visible area, on a coarse mask of 192 cells in height.

    Args:
        outlines (np.ndarray): See :func:`find_visible`.
        names (tuple[str]): See :func:`find_visible`.
        image_size (tuple[int, int]): Width and height in pixels.

    Returns:
        float: Area of the person in square pixels, at least 1.
    """
    scale = 192. / image_size[1]
    mask = np.zeros((192, max(1, round(image_size[0] * scale))), np.uint8)
    # OpenCV fills the cells on the outline as well, half of which lie
    # outside.
    outlines = to_fixed_point(outlines * scale - 0.5 * DIRECTIONS.T)
    for name, outline in zip(names, outlines):
        cv2.fillConvexPoly(
            mask, outline, int(name != 'occluder'), shift=SHIFT)
    return max(1., cv2.countNonZero(mask) / scale**2)


def _find_covering(outlines: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether convex outlines contain points.

    Args:
        outlines (np.ndarray): Corners in shape (P, N, 2), in the order of
            :data:`DIRECTIONS`.
        points (np.ndarray): In shape (K, 2).

    Returns:
        np.ndarray: In shape (P, K) of type bool.
    """
    corners = outlines.transpose(1, 0, 2)
    edges = np.roll(corners, -1, axis=0) - corners
    normals = edges[..., ::-1] * (-1., 1.)
    levels = (normals * corners).sum(axis=-1, keepdims=True)
    # Corners that coincide make edges of length 0, which hold every point
    # but for rounding.
    return (normals @ points.T >= levels - 1e-9).all(axis=0)


def _cross_border(outlines: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Where outlines cross the border's lines, in shape (N, 2)."""
    starts = outlines.reshape(-1, 2)
    steps = np.roll(outlines, -1, axis=1).reshape(-1, 2) - starts
    crossings = []
    for axis, border in ((0, 0.), (0, last[0]), (1, 0.), (1, last[1])):
        gap, step = border - starts[:, axis], steps[:, axis]
        crosses = (gap * step > 0) & (abs(gap) < abs(step))
        share = gap[crosses] / step[crosses]
        crossings.append(starts[crosses] + share[:, None] * steps[crosses])
    return np.concatenate(crossings)
