"""Outlines of convex hulls of circles, which all parts of a picture are."""

import numpy as np

#: Directions in which the outline of a part is sampled.
NUM_DIRECTIONS = 32
_ANGLES = np.arange(NUM_DIRECTIONS) * (2 * np.pi / NUM_DIRECTIONS)
DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])

#: Fixed-point bits of the coordinates handed to OpenCV.
SHIFT = 4


def trace_outlines(circles: np.ndarray) -> np.ndarray:
    """Outlines of the convex hulls of circles.

    Args:
        circles (np.ndarray): Circles (x, y, radius) in shape (P, C, 3).

    Returns:
        np.ndarray: Corners in shape (P, NUM_DIRECTIONS, 2): the point of
        each hull that lies farthest in each direction.
    """
    reach = circles[..., :2] @ DIRECTIONS + circles[..., 2:]
    farthest = reach.argmax(axis=1)
    chosen = np.take_along_axis(circles, farthest[..., None], axis=1)
    return chosen[..., :2] + chosen[..., 2:] * DIRECTIONS.T


def to_fixed_point(points: np.ndarray) -> np.ndarray:
    """Coordinates as OpenCV's drawing takes them, with :data:`SHIFT` bits."""
    return np.rint(points * (1 << SHIFT)).astype(np.int32)
