"""Pictures of people: background, clutter, person and camera.

Every body part is filled within the outline that :mod:`.figure` gives it, so a
picture agrees with its annotation by construction. Colours are BGR.
"""

from math import ceil

import cv2
import numpy as np

from mmpose_raf.sizes import Size
from .figure import Figure
from .looks import Look, sample_colour, sample_look
from .outlines import trace_outlines
from .painting import fill, fill_disc, fill_shaded, fill_stroke, to_ints
from .parts import KEYPOINTS

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
_EYE_WHITE = np.array([235., 240., 240.])


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
    look = sample_look(rng, 'skirt' in figure.names)
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


def _draw_background(image_size: Size,
                     rng: np.random.Generator) -> np.ndarray:
    """A wall or sky over a floor, both of uneven, grainy colour."""
    width, height = image_size
    # A quarter of the resolution holds all that such textures show.
    coarse = (ceil(width / 4), ceil(height / 4))
    colours = np.stack([sample_colour(rng), sample_colour(rng)])
    if rng.random() < 0.5:
        colours[1] = colours[0] + rng.uniform(-30, 30, 3)
    field = cv2.resize(
        colours[:, None] + rng.uniform(-30, 30, (2, 2, 1)), coarse)
    if rng.random() < 0.6:
        horizon = int(coarse[1] * rng.uniform(0.5, 0.9))
        field[horizon:] = sample_colour(rng)
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
        fill(img, outline, sample_colour(rng))
    for _ in range(int(rng.integers(0, 4))):
        ends = rng.uniform(-0.1, 1.1, (2, 2)) * size
        colour = sample_colour(rng)
        cv2.line(img, *to_ints(ends), colour.tolist(),
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
        sample_colour(rng)
    ]
    for i in range(2):
        circles = balls[[i, i + 1, i, i + 1]][None]
        fill_shaded(img, circles, colours[int(rng.integers(4))], look.light)
    if rng.random() < 0.4:
        end = balls[[2, 2, 2, 2]][None].copy()
        end[..., 2] *= rng.uniform(1.5, 3.)
        fill_shaded(img, end, colours[int(rng.integers(4))], look.light)


def _draw_person(img: np.ndarray, figure: Figure, look: Look,
                 rng: np.random.Generator) -> None:
    phase = rng.random(2)
    occluder = sample_colour(rng)
    for name, circles in zip(figure.names, figure.circles):
        part = name.split('_', 1)[1] if name.startswith(
            ('left_', 'right_')) else name
        circles = circles[None]
        if part in _WEARS:
            _draw_clothed(img, part, circles, figure.height, look, phase)
        elif part == 'occluder':
            fill_shaded(img, circles, occluder, look.light)
        else:
            hair = part in ('skull', 'long_hair')
            colour = look.colours['hair' if hair else 'skin']
            fill_shaded(img, circles, colour, look.light)
        if part == 'face' and figure.facing:
            _draw_features(img, figure, circles[0, 1, :2], look)


def _draw_clothed(img: np.ndarray, part: str, circles: np.ndarray,
                  height: float, look: Look, phase: np.ndarray) -> None:
    """Skin, and over it the share of the part that the garment covers."""
    garment, cut = _WEARS[part]
    share = 1. if cut is None else look.cuts[cut]
    if share < 1.:
        fill_shaded(img, circles, look.colours['skin'], look.light)
    if share > 0.:
        covered = circles.copy()
        if share < 1.:
            # Limbs are capsules: balls 0 and 1 are their ends.
            covered[0, 1::2] = circles[0, 0] + share * (
                circles[0, 1] - circles[0, 0])
        pattern = look.patterns.get(garment)
        fill_shaded(img, covered, look.colours[garment], look.light, pattern,
                    0.035 * height * (0.6 + phase[0]), phase[1])


def _draw_features(img: np.ndarray, figure: Figure, chin: np.ndarray,
                   look: Look) -> None:
    """Eyes, brows, nose and mouth; the eyes and the nose at keypoints."""
    points = dict(zip(KEYPOINTS, figure.keypoints))
    nose = points['nose']
    left_eye, right_eye = points['left_eye'], points['right_eye']
    between = (left_eye + right_eye) / 2
    down = nose - between
    unit = figure.height * 0.01
    mouth = (nose + chin) / 2
    across = 0.35 * (left_eye - right_eye)
    fill_stroke(img, mouth - across, mouth + across, 0.35 * unit,
                0.5 * look.colours['skin'] + (20., 20., 60.))
    for name in ('left_eye', 'right_eye'):
        if figure.eye_drawn[KEYPOINTS.index(name) - 1]:
            brow = points[name] - 0.55 * down
            fill_stroke(img, brow - 0.45 * across, brow + 0.45 * across,
                        0.3 * unit, 0.6 * look.colours['hair'])
            fill_disc(img, points[name], 1.05 * unit, _EYE_WHITE)
            fill_disc(img, points[name], 0.65 * unit, look.colours['iris'])
    fill_stroke(img, between + 0.3 * down, nose, 0.35 * unit,
                0.8 * look.colours['skin'])
    fill_disc(img, nose, 0.6 * unit, 0.45 * look.colours['skin'])
