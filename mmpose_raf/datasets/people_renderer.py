"""Pictures of people: colours, clothes, faces, background and camera.

Every body part is filled within the outline that
:mod:`mmpose_raf.datasets.people_figure` gives it, so a picture agrees with its
annotation by construction. Left and right are dressed alike: only the pose,
the face and the order of the parts tell them apart. Colours are BGR.
"""

from dataclasses import dataclass
from math import ceil
from typing import Dict, Optional, Tuple

import cv2
import numpy as np

from mmpose_raf.datasets.people_figure import (DIRECTIONS, KEYPOINTS, SHIFT,
                                               Figure, to_fixed_point,
                                               trace_outlines)

Colour = Tuple[float, float, float]

_SKINS = np.array([(180, 205, 242), (150, 185, 230), (125, 165, 215),
                   (95, 135, 190), (65, 100, 150), (45, 70, 110),
                   (35, 50, 80)], dtype=float)  # yapf: disable
_HAIRS = np.array([(25, 25, 30), (35, 50, 75), (50, 85, 130),
                   (105, 165, 205), (50, 80, 160), (170, 170, 175)],
                  dtype=float)  # yapf: disable
_IRISES = ((40, 30, 20), (70, 45, 20), (30, 50, 45), (20, 20, 20))
_PATTERNS = ('plain', 'plain', 'rings', 'stripes', 'check', 'dots', 'patch')

# Clothes that a part wears: which garment, and the share of the part's length
# that it covers by its cut.
_WEARS = {
    'torso': ('shirt', None),
    'pelvis': ('trousers', None),
    'skirt': ('skirt', None),
    'upper_arm': ('shirt', 'upper_sleeve'),
    'forearm': ('shirt', 'lower_sleeve'),
    'thigh': ('trousers', 'upper_leg'),
    'shank': ('trousers', 'lower_leg'),
    'foot': ('shoes', None),
}
# Shares of upper and lower part that sleeves and trouser legs cover.
_CUTS = ((1., 1.), (1., 1.), (1., 0.45), (0.6, 0.), (0.3, 0.))
_LEG_CUTS = ((1., 1.), (1., 1.), (1., 1.), (1., 0.4), (0.7, 0.))
_BARE_LEGS = (0., 0.)


@dataclass(frozen=True)
class Look:
    """Colours and clothes of one person.

    Args:
        colours (dict[str, np.ndarray]): By ``'skin'``, ``'hair'``,
            ``'iris'`` and the garments ``'shirt'``, ``'trousers'``,
            ``'skirt'`` and ``'shoes'``.
        patterns (dict[str, tuple]): Of shirt, trousers and skirt: the kind
            and its colour.
        cuts (dict[str, float]): Covered shares of upper and lower arms and
            legs, 0 to 1.
        light (np.ndarray): Where the light comes from, a vector of up to
            unit length.
    """
    colours: Dict[str, np.ndarray]
    patterns: Dict[str, tuple]
    cuts: Dict[str, float]
    light: np.ndarray


def render_figure(figure: Figure, rng: np.random.Generator) -> np.ndarray:
    """Take the picture of a person.

    Args:
        figure (Figure): The person.
        rng (np.random.Generator): Source of all choices that the figure
            leaves open.

    Returns:
        np.ndarray: The BGR image in shape (H, W, 3) of type uint8.
    """
    return apply_camera(draw_scene(figure, rng), rng)


def draw_scene(figure: Figure, rng: np.random.Generator) -> np.ndarray:
    """Background, clutter, the person and what stands in front of it.

    Args:
        figure (Figure): The person.
        rng (np.random.Generator): Source of all choices that the figure
            leaves open.

    Returns:
        np.ndarray: The BGR image in shape (H, W, 3) of type uint8, before
        light, blur and noise.
    """
    img = _draw_background(figure.image_size, rng)
    look = _sample_look(rng, 'skirt' in figure.names)
    _draw_clutter(img, look, rng)
    _draw_person(img, figure, look, rng)
    return img


def apply_camera(img: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Uneven light, slight blur and noise.

    Args:
        img (np.ndarray): The BGR image in shape (H, W, 3) of type uint8.
        rng (np.random.Generator): Source of the strengths and the noise.

    Returns:
        np.ndarray: A new image of the same shape and type.
    """
    height, width = img.shape[:2]
    exposure = rng.uniform(90, 150)
    gain = exposure + rng.uniform(-35, 35, (3, 2, 3)).mean(
        axis=2, keepdims=True) * 1.5 + rng.uniform(-8, 8, 3)
    gain = cv2.resize(gain.clip(0, 255).astype(np.uint8), (width, height))
    img = cv2.multiply(img, gain, scale=1 / 120)
    sigma = rng.uniform(0., 1.)
    if sigma > 0.35:
        img = cv2.GaussianBlur(img, (5, 5), sigma)
    noise = rng.integers(0, 256, img.shape, dtype=np.uint8)
    amplitude = rng.uniform(0., 0.12)
    return cv2.addWeighted(img, 1., noise, amplitude, -128 * amplitude)


def _draw_background(image_size: Tuple[int, int],
                     rng: np.random.Generator) -> np.ndarray:
    """A wall or sky over a floor, both of uneven, grainy colour."""
    width, height = image_size
    # A quarter of the resolution holds all that such textures show.
    coarse = (ceil(width / 4), ceil(height / 4))
    colours = np.stack([_sample_colour(rng), _sample_colour(rng)])
    if rng.random() < 0.5:
        colours[1] = colours[0] + rng.uniform(-30, 30, 3)
    field = cv2.resize(
        colours[:, None] + rng.uniform(-30, 30, (2, 2, 1)), coarse)
    if rng.random() < 0.6:
        horizon = int(coarse[1] * rng.uniform(0.5, 0.9))
        field[horizon:] = _sample_colour(rng)
    for cells, strength in ((6, 30), (24, 18), (90, 12)):
        amplitude = strength * rng.random()
        grain = rng.uniform(-amplitude, amplitude, (cells, cells))
        field += cv2.resize(grain, coarse)[..., None]
    return cv2.resize(field.clip(0, 255).astype(np.uint8), image_size)


def _draw_clutter(img: np.ndarray, look: Look,
                  rng: np.random.Generator) -> None:
    """Things behind the person, some coloured and built like its limbs."""
    height, width = img.shape[:2]
    size = np.array([width, height])
    num_shapes = int(rng.integers(3, 13))
    corners = rng.normal(0., 1., (num_shapes, 4, 2)) * rng.uniform(
        0.02, 0.16, (num_shapes, 1, 1)) * height
    # Few corners and a radius make triangles and boards, a large radius
    # blobs.
    radii = rng.uniform(0., 0.05, (num_shapes, 1, 1)) * height * (
        rng.random((num_shapes, 1, 1)) < 0.5)
    shapes = np.concatenate([
        corners + rng.random((num_shapes, 1, 2)) * size,
        np.broadcast_to(radii, (num_shapes, 4, 1))
    ], axis=2)  # yapf: disable
    for outline in trace_outlines(shapes):
        _fill(img, outline, _sample_colour(rng))
    for _ in range(int(rng.integers(0, 4))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * size
        colour = _sample_colour(rng)
        cv2.line(img, *_to_ints(ends), colour.tolist(),
                 max(1, int(height * rng.uniform(0.003, 0.03))), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 5))):
        _draw_false_limb(img, look, rng)


def _draw_false_limb(img: np.ndarray, look: Look,
                     rng: np.random.Generator) -> None:
    """A bent stick, at times with a ball at its end: no person has it."""
    height, width = img.shape[:2]
    length, thick = height * rng.uniform(0.06, 0.2), height * rng.uniform(
        0.012, 0.035)
    turn = rng.uniform(0., 2 * np.pi)
    turns = np.array([turn, turn + rng.uniform(-2., 2.)])
    steps = length * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    joints = rng.random(2) * (width, height) + np.concatenate(
        [np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    radii = thick * np.array([1., 0.8, 0.55])
    balls = np.concatenate([joints, radii[:, None]], axis=1)
    colours = [
        look.colours['skin'], look.colours['shirt'], look.colours['trousers'],
        _sample_colour(rng)
    ]
    for i in range(2):
        circles = balls[[i, i + 1, i, i + 1]][None]
        _fill_shaded(img, circles, colours[int(rng.integers(4))], look.light)
    if rng.random() < 0.4:
        end = balls[[2, 2, 2, 2]][None].copy()
        end[..., 2] *= rng.uniform(1.5, 3.)
        _fill_shaded(img, end, colours[int(rng.integers(4))], look.light)


def _sample_look(rng: np.random.Generator, has_skirt: bool) -> Look:
    colours = dict(
        skin=_vary(rng, _SKINS[rng.integers(len(_SKINS))], 12),
        hair=_vary(rng, _HAIRS[rng.integers(len(_HAIRS))], 14),
        iris=_IRISES[rng.integers(len(_IRISES))],
        shirt=_sample_colour(rng),
        trousers=_sample_colour(rng),
        skirt=_sample_colour(rng),
        shoes=_sample_colour(rng) * rng.uniform(0.3, 1.))
    if rng.random() < 0.12:  # an overall or a dress
        colours['trousers'] = colours['skirt'] = colours['shirt']
    patterns = {
        garment: (_PATTERNS[rng.integers(len(_PATTERNS))], _sample_colour(rng))
        for garment in ('shirt', 'trousers', 'skirt')
    }
    if rng.random() < 0.6:  # patterned trousers are the exception
        patterns['trousers'] = ('plain', colours['trousers'])
    sleeves = _CUTS[rng.integers(len(_CUTS))]
    legs = _LEG_CUTS[rng.integers(len(_LEG_CUTS))]
    if has_skirt and rng.random() < 0.7:
        legs = _BARE_LEGS
    angle = rng.uniform(0., 2 * np.pi)
    return Look(
        colours=colours,
        patterns=patterns,
        cuts=dict(
            upper_sleeve=sleeves[0],
            lower_sleeve=sleeves[1],
            upper_leg=legs[0],
            lower_leg=legs[1]),
        light=rng.random() * np.array([np.cos(angle), -abs(np.sin(angle))]))


def _vary(rng: np.random.Generator, colour: np.ndarray,
          amount: float) -> np.ndarray:
    # A common part for brightness and a small one for hue.
    return (colour + rng.uniform(-amount, amount) +
            rng.uniform(-amount / 3, amount / 3, 3)).clip(5, 250)


def _sample_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour from grey to saturated, from dark to light."""
    value, saturation = rng.uniform(30, 240), rng.random()**1.5
    return value * (1. - saturation * rng.random(3))


def _draw_person(img: np.ndarray, figure: Figure, look: Look,
                 rng: np.random.Generator) -> None:
    phase = rng.random(2)
    occluder = _sample_colour(rng)
    for name, circles in zip(figure.names, figure.circles):
        part = name.split('_', 1)[1] if name.startswith(
            ('left_', 'right_')) else name
        circles = circles[None]
        if part in _WEARS:
            _draw_clothed(img, part, circles, figure.height, look, phase)
        elif part == 'occluder':
            _fill_shaded(img, circles, occluder, look.light)
        else:
            hair = part in ('skull', 'long_hair')
            colour = look.colours['hair' if hair else 'skin']
            _fill_shaded(img, circles, colour, look.light)
        if part == 'face' and figure.facing:
            _draw_features(img, figure, circles[0, 1, :2], look)


def _draw_clothed(img: np.ndarray, part: str, circles: np.ndarray,
                  height: float, look: Look, phase: np.ndarray) -> None:
    """Skin, and over it the share of the part that the garment covers."""
    garment, cut = _WEARS[part]
    share = 1. if cut is None else look.cuts[cut]
    if share < 1.:
        _fill_shaded(img, circles, look.colours['skin'], look.light)
    if share > 0.:
        covered = circles.copy()
        if share < 1.:
            # Limbs are capsules: balls 0 and 1 are their ends.
            covered[0, 1::2] = circles[0, 0] + share * (
                circles[0, 1] - circles[0, 0])
        pattern = look.patterns.get(garment)
        _fill_shaded(img, covered, look.colours[garment], look.light, pattern,
                     0.035 * height * (0.6 + phase[0]), phase[1])


def _fill_shaded(img: np.ndarray,
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
        light (np.ndarray): Where the light comes from.
        pattern (tuple, optional): Kind and colour of the pattern.
        period (float): Distance between the pattern's elements in pixels.
        phase (float): Where the pattern starts, 0 to 1 periods.
    """
    colour = np.asarray(colour, dtype=float)
    _fill(img, trace_outlines(circles)[0], 0.62 * colour)
    inner = circles.copy()
    inner[..., 2] *= 0.86
    inner[..., :2] += 0.08 * circles[..., 2:] * light
    outline = trace_outlines(inner)[0]
    _fill(img, outline, colour)
    if pattern is not None and pattern[0] != 'plain':
        _fill_pattern(img, outline, circles[0], *pattern, period, phase)
        return
    inner[..., 2] *= 0.5
    inner[..., :2] += 0.25 * circles[..., 2:] * light
    _fill(img, trace_outlines(inner)[0], colour + 0.12 * (255. - colour))


def _fill(img: np.ndarray, outline: np.ndarray, colour: np.ndarray) -> None:
    cv2.fillConvexPoly(img, to_fixed_point(outline), colour.tolist(),
                       cv2.LINE_AA, SHIFT)


def _to_ints(points: np.ndarray) -> list:
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
        cv2.circle(texture, _to_ints(center), max(1, round(1.2 * period)),
                   colour, -1, cv2.LINE_AA)
        return
    if kind == 'dots':
        for along in offsets:
            for across in offsets:
                point = center + along * axis + across * normal
                cv2.circle(texture, _to_ints(point), max(1, thick // 2),
                           colour, -1, cv2.LINE_AA)
        return
    lines = {'rings': ((axis, normal), ), 'stripes': ((normal, axis), )}
    both = ((axis, normal), (normal, axis))
    for across, along in lines.get(kind, both):
        for offset in offsets:
            middle = center + offset * across
            ends = np.stack([middle - reach * along, middle + reach * along])
            cv2.line(texture, *_to_ints(ends), colour, thick, cv2.LINE_AA)


def _draw_features(img: np.ndarray, figure: Figure, chin: np.ndarray,
                   look: Look) -> None:
    """Eyes, brows, nose and mouth; the eyes and the nose at keypoints."""
    points = dict(zip(KEYPOINTS, figure.keypoints))
    nose = points['nose']
    left_eye, right_eye = points['left_eye'], points['right_eye']
    between = (left_eye + right_eye) / 2
    down = nose - between
    unit = figure.height * 0.01
    dark = 0.45 * look.colours['skin']
    mouth = (nose + chin) / 2
    across = 0.35 * (left_eye - right_eye)
    _fill_stroke(img, mouth - across, mouth + across, 0.35 * unit,
                 0.5 * look.colours['skin'] + (20., 20., 60.))
    for name in ('left_eye', 'right_eye'):
        if figure.eye_drawn[KEYPOINTS.index(name) - 1]:
            brow = points[name] - 0.55 * down
            _fill_stroke(img, brow - 0.45 * across, brow + 0.45 * across,
                         0.3 * unit, 0.6 * look.colours['hair'])
            _fill_disc(img, points[name], 1.05 * unit, (235., 240., 240.))
            _fill_disc(img, points[name], 0.65 * unit, look.colours['iris'])
    _fill_stroke(img, between + 0.3 * down, nose, 0.35 * unit,
                 0.8 * look.colours['skin'])
    _fill_disc(img, nose, 0.6 * unit, dark)


def _fill_disc(img: np.ndarray, center: np.ndarray, radius: float,
               colour: Colour) -> None:
    _fill(img, center + radius * DIRECTIONS.T, np.asarray(colour))


def _fill_stroke(img: np.ndarray, start: np.ndarray, end: np.ndarray,
                 radius: float, colour: np.ndarray) -> None:
    balls = np.array([[(*start, radius), (*end, radius)]])
    _fill(img, trace_outlines(balls)[0], colour)
