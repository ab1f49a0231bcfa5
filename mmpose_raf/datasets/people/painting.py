"""Brushes: outlines, round bodies with patterns, discs and strokes.

All draw on a BGR image in shape (H, W, 3) of type uint8. Places and lengths
are in pixels, colours BGR in shape (3, ).
"""

from typing import Optional

import cv2
import numpy as np

from .outlines import DIRECTIONS, SHIFT, to_fixed_point, trace_outlines


def fill(img: np.ndarray, outline: np.ndarray, colour: np.ndarray) -> None:
    """Fill a convex outline in shape (N, 2)."""
    cv2.fillConvexPoly(img, to_fixed_point(outline), colour.tolist(),
                       cv2.LINE_AA, SHIFT)


def fill_shaded(img: np.ndarray,
                circles: np.ndarray,
                colour: np.ndarray,
                light: np.ndarray,
                pattern: Optional[tuple] = None,
                period: float = 0.,
                phase: float = 0.) -> None:
    """Fill the hull of circles like a round body: rim, base and highlight.

    Args:
        img (np.ndarray): The image to draw on.
        circles (np.ndarray): Circles (x, y, radius) in shape (1, 4, 3).
        colour (np.ndarray): Its colour.
        light (np.ndarray): Where the light comes from, see
            :class:`.looks.Look`.
        pattern (tuple, optional): Kind and colour of the pattern, see
            :data:`.looks.PATTERNS`. Defaults to None.
        period (float): Distance between the pattern's elements in pixels.
        phase (float): Where the pattern starts, 0 to 1 periods.
    """
    fill(img, trace_outlines(circles)[0], 0.62 * colour)
    inner = circles.copy()
    inner[..., 2] *= 0.86
    inner[..., :2] += 0.08 * circles[..., 2:] * light
    outline = trace_outlines(inner)[0]
    fill(img, outline, colour)
    if pattern is not None and pattern[0] != 'plain':
        _fill_pattern(img, outline, circles[0], *pattern, period, phase)
        return
    inner[..., 2] *= 0.5
    inner[..., :2] += 0.25 * circles[..., 2:] * light
    fill(img, trace_outlines(inner)[0], colour + 0.12 * (255. - colour))


def fill_disc(img: np.ndarray, center: np.ndarray, radius: float,
              colour: np.ndarray) -> None:
    """Fill a disc around a centre (x, y)."""
    fill(img, center + radius * DIRECTIONS.T, colour)


def fill_stroke(img: np.ndarray, start: np.ndarray, end: np.ndarray,
                radius: float, colour: np.ndarray) -> None:
    """Fill a stroke with round ends from one place (x, y) to another."""
    balls = np.array([[(*start, radius), (*end, radius)]])
    fill(img, trace_outlines(balls)[0], colour)


def to_ints(points: np.ndarray) -> list:
    """Coordinates as those of OpenCV's functions that take whole pixels."""
    return np.rint(points).astype(int).tolist()


def _fill_pattern(img: np.ndarray, outline: np.ndarray, circles: np.ndarray,
                  kind: str, colour: np.ndarray, period: float,
                  phase: float) -> None:
    """Draw a pattern within an outline, along the axis of its part."""
    low = np.floor(outline.min(axis=0)).astype(int).clip(0)
    high = np.ceil(outline.max(axis=0)).astype(int) + 1
    window = img[low[1]:max(high[1], 0), low[0]:max(high[0], 0)]
    if window.size == 0:
        return
    mask = np.zeros(window.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(
        mask, to_fixed_point(outline - low), 255, shift=SHIFT)
    texture = window.copy()
    center = outline.mean(axis=0) - low
    _draw_pattern(texture, kind, center, _find_axis(circles),
                  max(period, 3.), phase, colour.tolist())
    cv2.copyTo(texture, mask, window)


def _find_axis(circles: np.ndarray) -> np.ndarray:
    """Unit vector along a part: limbs by their ends, trunks from top down."""
    # A trunk's first two balls are its one end and its last two the other; a
    # limb's are its two ends, twice.
    axis = circles[2:, :2].mean(axis=0) - circles[:2, :2].mean(axis=0)
    if abs(axis).max() < 1e-6:
        axis = circles[1, :2] - circles[0, :2]
    length = np.hypot(*axis)
    return axis / length if length > 1e-6 else np.array([0., 1.])


def _draw_pattern(texture: np.ndarray, kind: str, center: np.ndarray,
                  axis: np.ndarray, period: float, phase: float,
                  colour: list) -> None:
    normal = np.array([-axis[1], axis[0]])
    reach = float(np.hypot(*texture.shape[:2]))
    offsets = np.arange(-reach / 2, reach / 2, period) + phase * period
    thick = max(1, round(period * 0.4))
    if kind == 'patch':
        cv2.circle(texture, to_ints(center), max(1, round(1.2 * period)),
                   colour, -1, cv2.LINE_AA)
        return
    if kind == 'dots':
        for along in offsets:
            for across in offsets:
                point = center + along * axis + across * normal
                cv2.circle(texture, to_ints(point), max(1, thick // 2),
                           colour, -1, cv2.LINE_AA)
        return
    lines = {'rings': ((axis, normal), ), 'stripes': ((normal, axis), )}
    both = ((axis, normal), (normal, axis))
    for across, along in lines.get(kind, both):
        for offset in offsets:
            middle = center + offset * across
            ends = np.stack([middle - reach * along, middle + reach * along])
            cv2.line(texture, *to_ints(ends), colour, thick, cv2.LINE_AA)
