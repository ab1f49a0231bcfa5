"""A person in an image: what is drawn where, and its keypoints.

A person is a 3-D skeleton of balls: posed by joint angles, turned to the
camera and projected in parallel. Each body part is the convex hull of its
balls, and the parts lie over one another from far to near. So the picture's
ground truth (coordinates, hidden joints, box) follows from the geometry
alone, and no image is drawn for it.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Tuple

import cv2
import numpy as np

from mmpose_raf.sizes import Size
from .outlines import SHIFT, to_fixed_point, trace_outlines
from .parts import Body, build_parts, find_eyes
from .poses import choose_family, sample_pose
from .skeleton import build_skeleton
from .visibility import find_bbox, find_visible, measure_area


@dataclass(frozen=True)
class Figure:
    """One person in one image, and what stands in front of it.

    Args:
        circles (np.ndarray): Four circles (x, y, radius) a part in shape
            (P, 4, 3), in pixels; the part is their convex hull. Parts follow
            one another from far to near.
        names (tuple[str]): The parts' names, of :data:`.parts.PARTS`;
            ``'occluder'`` is no part of the person.
        keypoints (np.ndarray): COCO's 17 keypoints (x, y), drawn or not, in
            shape (17, 2), in pixels.
        visible (np.ndarray): COCO's flags in shape (17, ): 0 not labelled,
            1 labelled but hidden, 2 visible.
        bbox (np.ndarray): Box of the person (x1, y1, x2, y2) in shape (4, ),
            within the image.
        area (float): Visible area of the person in square pixels.
        facing (bool): Whether the person faces the camera.
        eye_drawn (tuple[bool, bool]): Whether the left and the right eye are
            on the side of the head that is seen.
        height (float): Length of a standing body of this scale in pixels.
        image_size (tuple[int, int]): Width and height of the image.
    """
    circles: np.ndarray
    names: Tuple[str, ...]
    keypoints: np.ndarray
    visible: np.ndarray
    bbox: np.ndarray
    area: float
    facing: bool
    eye_drawn: Tuple[bool, bool]
    height: float
    image_size: Size


def sample_figure(rng: np.random.Generator, image_size: Size) -> Figure:
    """Draw a random person.

    Equal generators give the same person at every image size of one aspect
    ratio, larger or smaller with the image.

    Args:
        rng (np.random.Generator): Source of all choices.
        image_size (tuple[int, int]): Width and height in pixels.

    Returns:
        Figure: The person, in pixels.
    """
    chance = rng.random(16)
    facing = bool(chance[0] < 0.68)
    body = Body(
        girth=0.85 + 0.4 * chance[2],
        head_scale=1.0 + 0.2 * chance[3],
        long_hair=bool(chance[4] < 0.32),
        skirt=bool(chance[5] < 0.15))
    pose = sample_pose(rng, facing, choose_family(chance[1]))
    skeleton = build_skeleton(rng, pose)
    names, circles, keypoints = build_parts(skeleton, pose, facing, body)
    circles, keypoints, height = _place(circles, keypoints, image_size,
                                        chance[6:])
    eye_drawn = find_eyes(pose)
    occluders = _sample_occluders(rng, circles)
    num_body_parts = len(names)
    names += ('occluder', ) * len(occluders)
    circles = np.concatenate([circles, occluders])
    outlines = trace_outlines(circles)
    return Figure(
        circles=circles,
        names=names,
        keypoints=keypoints,
        visible=find_visible(outlines, names, keypoints, facing, eye_drawn,
                             image_size),
        bbox=find_bbox(outlines[:num_body_parts], image_size),
        area=measure_area(outlines, names, image_size),
        facing=facing,
        eye_drawn=eye_drawn,
        height=height,
        image_size=image_size)


def draw_part_map(figure: Figure) -> np.ndarray:
    """Which part is seen at each pixel.

    Args:
        figure (Figure): The person.

    Returns:
        np.ndarray: In shape (H, W) of type uint8: 0 for the background,
        i + 1 for ``figure.names[i]``.
    """
    width, height = figure.image_size
    part_map = np.zeros((height, width), dtype=np.uint8)
    for i, outline in enumerate(to_fixed_point(trace_outlines(
            figure.circles))):
        cv2.fillConvexPoly(part_map, outline, i + 1, shift=SHIFT)
    return part_map


def _place(circles: np.ndarray, keypoints: np.ndarray, image_size: Size,
           chance: np.ndarray) -> Tuple[np.ndarray, np.ndarray, float]:
    """Scale a figure to the image and move it to its place."""
    size = np.array(image_size, dtype=float)
    low = (circles[..., :2] - circles[..., 2:]).min(axis=(0, 1))
    high = (circles[..., :2] + circles[..., 2:]).max(axis=(0, 1))
    extent = high - low
    # The larger side of the 3:4 box around the person, which a top-down
    # crop is made of: 0.54 to 0.78 of the largest that the image holds.
    side = max(extent[1], extent[0] * 4 / 3)
    scale = (0.54 + 0.24 * chance[0]) * min(size[1], size[0] * 4 / 3) / side
    extent = extent * scale

    free = size - 1 - extent
    corner = free * chance[1:3]
    if chance[3] < 0.12:  # cut off by the border
        if chance[4] < 0.7:
            corner[1] = free[1] + extent[1] * (0.08 + 0.25 * chance[5])
        else:
            over = extent[0] * (0.1 + 0.2 * chance[5])
            corner[0] = -over if chance[4] < 0.85 else free[0] + over
    offset = corner - low * scale
    circles = circles * scale
    circles[..., :2] += offset
    return circles, keypoints * scale + offset, float(scale)


def _sample_occluders(rng: np.random.Generator,
                      circles: np.ndarray) -> np.ndarray:
    """Things in front of the person: none, a board, a post or a bush."""
    chance = rng.random(8)
    if chance[0] > 0.3:
        return np.empty((0, 4, 3))
    low = circles[..., :2].min(axis=(0, 1))
    extent = circles[..., :2].max(axis=(0, 1)) - low
    length = extent.max()
    center = low + extent * (0.1 + 0.8 * chance[1:3])
    turn = radians(30. * chance[3] - 15.)
    along = np.array([-sin(turn), cos(turn)])
    across = np.array([cos(turn), sin(turn)])
    corners = np.array([(-1., -1.), (1., -1.), (1., 1.), (-1., 1.)])
    if chance[4] < 0.5:  # a board
        half = length * np.array([0.06 + 0.1 * chance[5],
                                  0.05 + 0.09 * chance[6]])
        radius = 0.01 * length
    elif chance[4] < 0.8:  # a post
        half = length * np.array([0.002, 0.25 + 0.4 * chance[5]])
        radius = length * (0.015 + 0.025 * chance[6])
    else:  # a bush
        half = length * np.array([0.03, 0.03])
        radius = length * (0.05 + 0.06 * chance[5])
    points = center + corners[:, :1] * half[0] * across + (
        corners[:, 1:] * half[1] * along)
    return np.concatenate([points, np.full((4, 1), radius)], axis=1)[None]
