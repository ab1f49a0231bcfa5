"""The geometry of rendered people: what is drawn where, and its keypoints.

A person is a 3-D skeleton of balls: posed by joint angles, turned to the
camera and projected in parallel. Each body part is the convex hull of its
balls, and the parts lie over one another from far to near. So the picture's
ground truth (coordinates, hidden joints, box) follows from the geometry
alone, and no image is drawn for it.

Lengths are in body heights and angles in degrees until the figure is placed
in the image, pixels from then on. Axes: x to the right and y down in the
image, z to the camera. A person at rest faces the camera, so that its left is
at +x.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Dict, List, Tuple

import cv2
import numpy as np

KEYPOINTS = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
             'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
             'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
             'right_knee', 'left_ankle', 'right_ankle')

#: Directions in which the outline of a part is sampled.
NUM_DIRECTIONS = 32
_ANGLES = np.arange(NUM_DIRECTIONS) * (2 * np.pi / NUM_DIRECTIONS)
DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])

#: Fixed-point bits of the coordinates handed to OpenCV.
SHIFT = 4

# Lengths of bones and offsets of joints (Drillis and Contini's segment
# lengths, the shoulder and hip widths being those of the joints' centres).
_TORSO = 0.285
_NECK = 0.118  # to the middle of the head
_SHOULDER, _HIP = 0.104, 0.052
_UPPER_BONES = np.array([0.18, 0.18, 0.245, 0.245])
_LOWER_BONES = np.array([0.15, 0.15, 0.24, 0.24])

# Limbs in the order left arm, right arm, left leg, right leg.
_SIDES = np.array([1., -1., 1., -1.])

# Points of the head in its own frame, in units of the head's scale: the
# keypoints nose, eyes and ears, then the balls of skull, brow and chin.
_HEAD_POINTS = np.array([
    (0., 0.014, 0.060),
    (0.020, -0.006, 0.050),
    (-0.020, -0.006, 0.050),
    (0.047, 0.006, -0.004),
    (-0.047, 0.006, -0.004),
    (0., -0.020, -0.012),
    (0., -0.004, 0.014),
    (0., 0.043, 0.020),
])
_NOSE, _SKULL, _BROW, _CHIN = 0, 5, 6, 7

PARTS = ('neck', 'torso', 'pelvis', 'skirt', 'skull', 'face', 'long_hair',
         'left_ear', 'right_ear', 'left_upper_arm', 'right_upper_arm',
         'left_forearm', 'right_forearm', 'left_hand', 'right_hand',
         'left_thigh', 'right_thigh', 'left_shank', 'right_shank',
         'left_foot', 'right_foot', 'occluder')
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


@dataclass(frozen=True)
class PoseFamily:
    """Mean joint angles of one kind of pose, in degrees.

    Args:
        weight (float): Its share of all poses, relative to the others'.
        arms (tuple): Of the first and of the second arm: flexion (forward
            positive), abduction (outward positive), elbow flexion, and roll
            of the elbow's bend (0 forward, 90 inward, -90 outward).
        legs (tuple): The same of the legs, with the knee's flexion.
        torso (float): Forward pitch of the torso.
        spread (float): Factor on the angles' standard deviations.
    """
    weight: float
    arms: Tuple[tuple, tuple]
    legs: Tuple[tuple, tuple]
    torso: float = 2.
    spread: float = 1.


POSE_FAMILIES = dict(
    standing=PoseFamily(
        4.,
        arms=((2, 12, 15, 20), (2, 12, 15, 20)),
        legs=((2, 4, 4, 0), (2, 4, 4, 0)),
        spread=0.6),
    akimbo=PoseFamily(
        1.5,
        arms=((-12, 42, 95, 75), (-5, 30, 70, 70)),
        legs=((3, 7, 5, 0), (3, 7, 8, 0)),
        spread=0.6),
    walking=PoseFamily(
        3.,
        arms=((28, 10, 30, 15), (-28, 10, 25, 15)),
        legs=((-22, 3, 28, 0), (26, 3, 10, 0)),
        torso=5.),
    running=PoseFamily(
        1.5,
        arms=((45, 14, 90, 20), (-40, 16, 85, 10)),
        legs=((-25, 4, 80, 0), (55, 4, 55, 0)),
        torso=14.),
    sitting=PoseFamily(
        2.,
        arms=((20, 14, 55, 25), (20, 14, 60, 25)),
        legs=((80, 14, 80, 0), (80, 14, 80, 0)),
        torso=6.),
    hands_up=PoseFamily(
        2.,
        arms=((20, 145, 30, -70), (20, 145, 30, -70)),
        legs=((3, 8, 6, 0), (3, 8, 6, 0)),
        spread=1.2),
    waving=PoseFamily(
        2.,
        arms=((10, 95, 85, -85), (5, 14, 20, 30)),
        legs=((2, 5, 5, 0), (4, 5, 8, 0))),
    folded_arms=PoseFamily(
        1.5,
        arms=((28, 14, 95, 62), (32, 12, 100, 55)),
        legs=((2, 5, 4, 0), (3, 5, 8, 0)),
        spread=0.6),
    reaching=PoseFamily(
        1.5,
        arms=((75, 25, 25, 10), (20, 18, 50, 25)),
        legs=((5, 6, 10, 0), (10, 6, 15, 0)),
        torso=14.),
    lunging=PoseFamily(
        1.5,
        arms=((15, 85, 20, -20), (15, 80, 25, -30)),
        legs=((30, 38, 55, 0), (-5, 25, 15, 0)),
        torso=8.),
    free=PoseFamily(
        2.,
        arms=((40, 60, 50, 0), (40, 60, 50, 0)),
        legs=((20, 16, 35, 0), (20, 16, 35, 0)),
        spread=2.2))

_FAMILIES = tuple(POSE_FAMILIES.values())
_FAMILY_BOUNDS = np.cumsum([f.weight for f in _FAMILIES])
_FAMILY_BOUNDS = _FAMILY_BOUNDS / _FAMILY_BOUNDS[-1]

# Rows: first arm, second arm, first leg, second leg; columns as above.
_FAMILY_MEANS = np.array([(*f.arms, *f.legs) for f in _FAMILIES], dtype=float)
_FAMILY_SPREADS = np.array([f.spread for f in _FAMILIES])
_ANGLE_SPREAD = np.array([[14., 9., 20., 22.], [14., 9., 20., 22.],
                          [8., 5., 10., 6.], [8., 5., 10., 6.]])
_ANGLE_MIN = np.array([[-50., 2., 2., -100.], [-50., 2., 2., -100.],
                       [-28., -4., 2., -20.], [-28., -4., 2., -20.]])
_ANGLE_MAX = np.array([[170., 170., 145., 90.], [170., 170., 145., 90.],
                       [105., 48., 130., 20.], [105., 48., 130., 20.]])
# An arm that hangs cannot turn its forearm outward as a raised one can.
_HANGING_ABDUCTION, _HANGING_ROLL = 50., -25.

_MIRROR = np.array([1, 0, 3, 2])


@dataclass(frozen=True)
class Figure:
    """One person in one image, and what stands in front of it.

    Args:
        circles (np.ndarray): Four circles (x, y, radius) a part in shape
            (P, 4, 3), in pixels; the part is their convex hull. Parts follow
            one another from far to near.
        names (tuple[str]): The parts' names, of :data:`PARTS`;
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
    image_size: Tuple[int, int]


def sample_figure(rng: np.random.Generator,
                  image_size: Tuple[int, int]) -> Figure:
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
    frames = _sample_frames(rng, facing, _choose_family(chance[1]))
    joints = _pose_skeleton(rng, frames)
    names, circles, keypoints = _build_parts(
        joints,
        frames,
        facing,
        girth=0.85 + 0.4 * chance[2],
        head_scale=1.0 + 0.2 * chance[3],
        long_hair=bool(chance[4] < 0.32),
        skirt=bool(chance[5] < 0.15))
    circles, keypoints, height = _place(circles, keypoints, image_size,
                                        chance[6:])
    # The far eye of a turned head is behind the bridge of the nose.
    eye_drawn = tuple((joints['eye_depths'] > 0.012).tolist())
    occluders = _sample_occluders(rng, circles)
    num_body_parts = len(names)
    names += ('occluder', ) * len(occluders)
    circles = np.concatenate([circles, occluders])
    outlines = trace_outlines(circles)
    return Figure(
        circles=circles,
        names=names,
        keypoints=keypoints,
        visible=_find_visible(outlines, names, keypoints, facing, eye_drawn,
                              image_size),
        bbox=_find_bbox(outlines[:num_body_parts], image_size),
        area=_measure_area(outlines, names, image_size),
        facing=facing,
        eye_drawn=eye_drawn,
        height=height,
        image_size=image_size)


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


def _choose_family(chance: float) -> int:
    return int(np.searchsorted(_FAMILY_BOUNDS, chance, side='right'))


def _rotate_x(angle: float) -> np.ndarray:
    # A positive angle tips what points up towards +z: forward.
    c, s = cos(radians(angle)), sin(radians(angle))
    return np.array(((1., 0., 0.), (0., c, s), (0., -s, c)))


def _rotate_y(angle: float) -> np.ndarray:
    # A positive angle turns what faces the camera towards +x.
    c, s = cos(radians(angle)), sin(radians(angle))
    return np.array(((c, 0., s), (0., 1., 0.), (-s, 0., c)))


def _rotate_z(angle: float) -> np.ndarray:
    c, s = cos(radians(angle)), sin(radians(angle))
    return np.array(((c, -s, 0.), (s, c, 0.), (0., 0., 1.)))


def _sample_frames(rng: np.random.Generator, facing: bool,
                   family: int) -> Dict[str, np.ndarray]:
    """Orientations of pelvis, torso and head, and the limbs' angles."""
    normal = rng.standard_normal(24)
    spread = _FAMILY_SPREADS[family]
    angles = _FAMILY_MEANS[family] + (
        spread * _ANGLE_SPREAD * normal[:16].reshape(4, 4))
    angles = angles.clip(_ANGLE_MIN, _ANGLE_MAX)
    angles[:2, 3] = np.where(angles[:2, 1] < _HANGING_ABDUCTION,
                             angles[:2, 3].clip(_HANGING_ROLL), angles[:2, 3])
    yaw, roll, turn = rng.random(3)
    if roll < 0.5:
        angles = angles[_MIRROR]

    # Up to 55 degrees from the front or the back: left and right never
    # merge in a side view. The head turns further only while its face shows.
    yaw = 110. * yaw - 55.
    head_yaw = (90. * turn - 45. if facing else 24. * turn - 12.)
    head_yaw = min(max(yaw + head_yaw, -62.), 62.) - yaw
    twist = min(max(7. * normal[16], -10.), 10.)
    pitch = _FAMILIES[family].torso + 4. * spread * normal[17]
    lean = min(max(4. * (1. + spread) * normal[18], -22.), 22.)
    camera = min(max(6. + 7. * normal[19], -8.), 24.)

    # Roll of the image, pitch of the camera, yaw of the person.
    pelvis = _rotate_z(lean) @ _rotate_x(camera) @ _rotate_y(
        yaw if facing else yaw + 180.)
    torso = pelvis @ _rotate_y(twist) @ _rotate_x(
        min(max(pitch, -10.), 38.)) @ _rotate_z(
            min(max(5. * spread * normal[20], -13.), 13.))
    head = torso @ _rotate_y(head_yaw - twist) @ _rotate_x(
        min(max(9. * normal[21] - 0.6 * pitch, -25.),
            25.)) @ _rotate_z(min(max(7. * normal[22], -18.), 18.))
    return dict(
        pelvis=pelvis,
        torso=torso,
        head=head,
        angles=angles,
        toe_out=np.array([12. + 8. * normal[23], -12. - 8. * normal[23]]))


def _pose_limbs(angles: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Directions of the four limbs' bones in the frame they hang from.

    Flexion and abduction turn the bone that hangs down; the lower bone bends
    away from the upper one within the plane that the roll selects.

    Args:
        angles (np.ndarray): In shape (4, 4), in degrees.

    Returns:
        tuple[np.ndarray, np.ndarray]: Unit vectors of the upper and of the
        lower bones, each in shape (4, 3).
    """
    turns = np.deg2rad(angles)
    (cf, ca, ce, cr), (sf, sa, se, sr) = np.cos(turns).T, np.sin(turns).T
    upper, forward, outward = np.zeros((3, 3, 4))
    upper[:] = _SIDES * sa, ca * cf, ca * sf
    forward[1:] = -sf, cf
    outward[:] = _SIDES * ca, -sa * cf, -sa * sf
    bend = cr * forward - sr * outward
    bend[:, 2:] *= -1.  # knees bend backward
    return upper.T, (ce * upper + se * bend).T


def _pose_skeleton(rng: np.random.Generator,
                   frames: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Joints of the limbs and bases of torso and head, camera axes."""
    upper, lower = _pose_limbs(frames['angles'])
    scale = 1. + 0.05 * rng.standard_normal(5).clip(-2., 2.)
    torso, pelvis = frames['torso'], frames['pelvis']
    neck = torso @ np.array([0., -_TORSO * scale[0], 0.])

    roots = np.empty((4, 3))
    roots[:2] = neck + np.outer([_SHOULDER, -_SHOULDER],
                                torso[:, 0]) * scale[1]
    roots[2:] = np.outer([_HIP, -_HIP], pelvis[:, 0])
    for limbs, frame in ((slice(0, 2), torso), (slice(2, 4), pelvis)):
        upper[limbs] = upper[limbs] @ frame.T
        lower[limbs] = lower[limbs] @ frame.T
    middles = roots + upper * (_UPPER_BONES *
                               np.repeat(scale[2:4], 2))[:, None]
    ends = middles + lower * (_LOWER_BONES * np.repeat(scale[2:4], 2))[:, None]

    # A foot stands across its shank, turned a little outward.
    toes = frames['toe_out']
    forward = np.stack([np.sin(np.deg2rad(toes)),
                        np.zeros(2),
                        np.cos(np.deg2rad(toes))],
                       axis=1) @ pelvis.T
    shank = lower[2:]
    forward -= (forward * shank).sum(axis=1, keepdims=True) * shank
    forward /= np.linalg.norm(forward, axis=1, keepdims=True).clip(1e-6)
    return dict(
        roots=roots,
        middles=middles,
        ends=ends,
        palms=lower[:2],
        feet=forward + 0.3 * shank,
        neck=neck,
        eye_depths=_HEAD_POINTS[1:3] @ frames['head'][2])


def _build_parts(joints: Dict[str, np.ndarray], frames: Dict[str, np.ndarray],
                 facing: bool, girth: float, head_scale: float,
                 long_hair: bool,
                 skirt: bool) -> Tuple[tuple, np.ndarray, np.ndarray]:
    """Balls of all parts from far to near, and the keypoints.

    Returns:
        tuple: Names, circles in shape (P, 4, 3) and keypoints in shape
        (17, 2), in body heights.
    """
    parts: List[tuple] = []

    def add(name, depth, *balls):
        balls = (balls * 4)[:4]  # repeating a ball leaves the hull as it is
        parts.append((name, depth, [(b[0], b[1], r) for b, r in balls]))

    _add_limbs(add, joints, girth)
    torso_depth = 0.5 * joints['neck'][2]
    _add_trunk(add, joints, frames, torso_depth, girth, skirt)
    head = _add_head(add, joints, frames, torso_depth, facing, head_scale,
                     long_hair)

    parts.sort(key=lambda part: part[1])
    names, _, circles = zip(*parts)
    keypoints = np.concatenate([
        head[:5, :2],
        np.stack([joints[key][:2, :2] for key in
                  ('roots', 'middles', 'ends')]).reshape(6, 2),
        np.stack([joints[key][2:, :2] for key in
                  ('roots', 'middles', 'ends')]).reshape(6, 2)
    ])
    return names, np.array(circles), keypoints


def _add_limbs(add, joints: Dict[str, np.ndarray], girth: float) -> None:
    roots, middles, ends = joints['roots'], joints['middles'], joints['ends']
    depths = np.stack([roots, middles, ends])[..., 2].tolist()
    for i, side in enumerate(('left', 'right')):
        root, middle, end = depths[0][i], depths[1][i], depths[2][i]
        # An arm beside the trunk lies before it, a leg behind its clothes.
        add(f'{side}_upper_arm', (root + middle) / 2 + 0.03,
            (roots[i], 0.031 * girth), (middles[i], 0.025 * girth))
        add(f'{side}_forearm', (middle + end) / 2 + 0.035,
            (middles[i], 0.025 * girth), (ends[i], 0.018 * girth))
        palm = joints['palms'][i]
        add(f'{side}_hand', end + 0.036, (ends[i] + 0.006 * palm, 0.018),
            (ends[i] + 0.05 * palm, 0.017))
        leg = i + 2
        root, middle, end = depths[0][leg], depths[1][leg], depths[2][leg]
        add(f'{side}_thigh', (root + middle) / 2 - 0.03,
            (roots[leg], 0.052 * girth), (middles[leg], 0.037 * girth))
        add(f'{side}_shank', (middle + end) / 2 - 0.025,
            (middles[leg], 0.036 * girth), (ends[leg], 0.023 * girth))
        toes = joints['feet'][i]
        add(f'{side}_foot', end - 0.02, (ends[leg] - 0.02 * toes, 0.023),
            (ends[leg] + 0.01 * toes, 0.025), (ends[leg] + 0.09 * toes, 0.017),
            (ends[leg], 0.023))


def _add_trunk(add, joints: Dict[str, np.ndarray],
               frames: Dict[str, np.ndarray], depth: float, girth: float,
               skirt: bool) -> None:
    roots, neck = joints['roots'], joints['neck']
    shoulders = 0.8 * roots[:2] + 0.2 * neck
    waist = 0.1 * neck + 0.95 * roots[2:]
    add('neck', depth - 0.004, (0.9 * neck, 0.028),
        (neck + _NECK * 0.6 * -frames['torso'][:, 1], 0.026))
    add('torso', depth, (shoulders[0], 0.042), (shoulders[1], 0.042),
        (waist[0], 0.046 * girth), (waist[1], 0.046 * girth))
    add('pelvis', min(depth, 0.) - 0.002, (roots[2], 0.053 * girth),
        (roots[3], 0.053 * girth))
    if skirt:
        knees = joints['middles'][2:]
        hem = 0.35 * roots[2:] + 0.65 * knees
        # Just over the nearer thigh, which is the part that it falls on.
        add('skirt', ((roots[2:, 2] + knees[:, 2]) / 2).max() - 0.029,
            (roots[2], 0.055 * girth), (roots[3], 0.055 * girth),
            (hem[0], 0.06 * girth), (hem[1], 0.06 * girth))


def _add_head(add, joints: Dict[str, np.ndarray],
              frames: Dict[str, np.ndarray], torso_depth: float, facing: bool,
              scale: float, long_hair: bool) -> np.ndarray:
    """Add the head's parts; its points in shape (8, 3), camera axes."""
    head = frames['head']
    neck = joints['neck'] - 0.045 * frames['torso'][:, 1]
    center = neck - (_NECK - 0.045) * scale * head[:, 1]
    points = center + scale * _HEAD_POINTS @ head.T
    # Chin and hair fall over the chest or the back unless the person bends
    # far away from the camera.
    depth = max(float(center[2]), torso_depth - 0.04) + 0.05
    add('skull', depth, (points[_SKULL], 0.055 * scale),
        (points[_SKULL], 0.055 * scale))
    add('face', depth + (0.002 if facing else -0.002),
        (points[_BROW], 0.043 * scale), (points[_CHIN], 0.027 * scale),
        (points[_NOSE], 0.007 * scale))
    for point, side in ((3, 'left'), (4, 'right')):
        add(f'{side}_ear',
            depth + _place_ear(points[point, 2] - center[2], long_hair),
            (points[point], 0.0115 * scale),
            (points[point] + 0.012 * scale * head[:, 1], 0.008 * scale))
    if long_hair:
        down = center + scale * (0.08 * head[:, 1] - 0.025 * head[:, 2])
        across = 0.028 * scale * head[:, 0]
        add('long_hair', torso_depth - 0.006 if facing else depth + 0.004,
            (points[_SKULL], 0.058 * scale), (down + across, 0.032 * scale),
            (down - across, 0.032 * scale))
    return points


def _place_ear(offset: float, long_hair: bool) -> float:
    """Depth of an ear within the head, from its own depth."""
    if long_hair or offset < -0.022:
        return -0.003
    return 0.003 if offset > 0. else 0.001


def _place(circles: np.ndarray, keypoints: np.ndarray,
           image_size: Tuple[int, int],
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


def _find_bbox(outlines: np.ndarray, image_size: Tuple[int,
                                                       int]) -> np.ndarray:
    """Box (x1, y1, x2, y2) of what lies within the image."""
    points = outlines.reshape(-1, 2)
    last = np.array(image_size, dtype=float) - 1
    if points.min() < 0 or (points > last).any():
        crossings = _cross_border(outlines, last)
        points = np.concatenate([points, crossings])
        inside = ((points > -1e-6) & (points < last + 1e-6)).all(axis=1)
        points = points[inside].clip(0., last)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


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


def _find_visible(outlines: np.ndarray, names: Tuple[str, ...],
                  keypoints: np.ndarray, facing: bool,
                  eye_drawn: Tuple[bool, bool],
                  image_size: Tuple[int, int]) -> np.ndarray:
    """COCO's visibility flags, from which parts cover which keypoints."""
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


def _measure_area(outlines: np.ndarray, names: Tuple[str, ...],
                  image_size: Tuple[int, int]) -> float:
    """Visible area, counted on a coarse mask of 192 cells in height."""
    scale = 192. / image_size[1]
    mask = np.zeros((192, max(1, round(image_size[0] * scale))), np.uint8)
    # OpenCV fills the cells on the outline as well, half of which lie
    # outside.
    outlines = to_fixed_point(outlines * scale - 0.5 * DIRECTIONS.T)
    for name, outline in zip(names, outlines):
        cv2.fillConvexPoly(
            mask, outline, int(name != 'occluder'), shift=SHIFT)
    return max(1., cv2.countNonZero(mask) / scale**2)
