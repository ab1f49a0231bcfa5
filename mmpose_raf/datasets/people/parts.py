"""Body parts around the joints, and the keypoints on them.

A part is the convex hull of balls; the parts lie over one another from far to
near. Lengths are in body heights, in the axes of :mod:`.poses`.
"""

from dataclasses import dataclass
from typing import List, NamedTuple, Tuple

import numpy as np

from .poses import Pose
from .skeleton import Skeleton

KEYPOINTS = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
             'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow',
             'left_wrist', 'right_wrist', 'left_hip', 'right_hip', 'left_knee',
             'right_knee', 'left_ankle', 'right_ankle')

PARTS = ('neck', 'torso', 'pelvis', 'skirt', 'skull', 'face', 'long_hair',
         'left_ear', 'right_ear', 'left_upper_arm', 'right_upper_arm',
         'left_forearm', 'right_forearm', 'left_hand', 'right_hand',
         'left_thigh', 'right_thigh', 'left_shank', 'right_shank',
         'left_foot', 'right_foot', 'occluder')

_NECK = 0.118  # from the torso to the middle of the head

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
_EYES, _EARS = slice(1, 3), slice(3, 5)


@dataclass(frozen=True)
class Body:
    """What a body is like apart from its pose.

    Args:
        girth (float): Factor on the thickness of limbs and trunk.
        head_scale (float): Factor on the size of the head.
        long_hair (bool): Whether its hair is long.
        skirt (bool): Whether it wears a skirt.
    """
    girth: float
    head_scale: float
    long_hair: bool
    skirt: bool


class _Part(NamedTuple):
    name: str
    depth: float
    circles: List[tuple]


def build_parts(
        skeleton: Skeleton, pose: Pose, facing: bool,
        body: Body) -> Tuple[Tuple[str, ...], np.ndarray, np.ndarray]:
    """Build all parts of a person, from far to near, and its keypoints.

    Args:
        skeleton (Skeleton): The joints.
        pose (Pose): The pose that they have.
        facing (bool): Whether the person faces the camera.
        body (Body): What the body is like.

    Returns:
        tuple: Names of the P parts, of :data:`PARTS`; circles (x, y, radius)
        in shape (P, 4, 3); and :data:`KEYPOINTS` (x, y) in shape (17, 2).
    """
    head = _place_head(skeleton, pose, body.head_scale)
    parts = [
        *_build_limbs(skeleton, body.girth),
        *_build_trunk(skeleton, pose, body),
        *_build_head(skeleton, pose, facing, body, head)
    ]
    parts.sort(key=lambda part: part.depth)
    names, _, circles = zip(*parts)
    joints = np.stack([skeleton.roots, skeleton.middles, skeleton.ends])
    keypoints = np.concatenate([
        head.points[:5, :2], joints[:, :2, :2].reshape(6, 2),
        joints[:, 2:, :2].reshape(6, 2)
    ])
    return names, np.array(circles), keypoints


def find_eyes(pose: Pose) -> Tuple[bool, bool]:
    """Whether the left and the right eye are on the side that is seen."""
    # The far eye of a turned head is behind the bridge of the nose.
    depths = _HEAD_POINTS[_EYES] @ pose.head[2]
    return tuple((depths > 0.012).tolist())


def _make_part(name: str, depth: float,
               *balls: Tuple[np.ndarray, float]) -> _Part:
    """A part of up to four balls, each of a centre (3, ) and a radius."""
    balls = (balls * 4)[:4]  # repeating a ball leaves the hull as it is
    return _Part(name, depth, [(b[0], b[1], r) for b, r in balls])


def _build_limbs(skeleton: Skeleton, girth: float) -> List[_Part]:
    joints = np.stack([skeleton.roots, skeleton.middles, skeleton.ends], 1)
    parts = []
    for i, side in enumerate(('left', 'right')):
        parts += _build_arm(side, *joints[i], skeleton.palms[i], girth)
        parts += _build_leg(side, *joints[i + 2], skeleton.feet[i], girth)
    return parts


def _build_arm(side: str, shoulder: np.ndarray, elbow: np.ndarray,
               wrist: np.ndarray, palm: np.ndarray,
               girth: float) -> List[_Part]:
    # An arm beside the trunk lies before it.
    return [
        _make_part(f'{side}_upper_arm', _mean_depth(shoulder, elbow) + 0.03,
                   (shoulder, 0.031 * girth), (elbow, 0.025 * girth)),
        _make_part(f'{side}_forearm', _mean_depth(elbow, wrist) + 0.035,
                   (elbow, 0.025 * girth), (wrist, 0.018 * girth)),
        _make_part(f'{side}_hand', wrist[2] + 0.036,
                   (wrist + 0.006 * palm, 0.018),
                   (wrist + 0.05 * palm, 0.017))
    ]


def _build_leg(side: str, hip: np.ndarray, knee: np.ndarray,
               ankle: np.ndarray, toes: np.ndarray,
               girth: float) -> List[_Part]:
    # A leg lies behind the clothes of the trunk.
    return [
        _make_part(f'{side}_thigh', _mean_depth(hip, knee) - 0.03,
                   (hip, 0.052 * girth), (knee, 0.037 * girth)),
        _make_part(f'{side}_shank', _mean_depth(knee, ankle) - 0.025,
                   (knee, 0.036 * girth), (ankle, 0.023 * girth)),
        _make_part(f'{side}_foot', ankle[2] - 0.02,
                   (ankle - 0.02 * toes, 0.023), (ankle + 0.01 * toes, 0.025),
                   (ankle + 0.09 * toes, 0.017), (ankle, 0.023))
    ]


def _mean_depth(first: np.ndarray, second: np.ndarray) -> float:
    return (first[2] + second[2]) / 2


def _trunk_depth(skeleton: Skeleton) -> float:
    return 0.5 * skeleton.neck[2]


def _build_trunk(skeleton: Skeleton, pose: Pose, body: Body) -> List[_Part]:
    depth, girth = _trunk_depth(skeleton), body.girth
    neck, hips = skeleton.neck, skeleton.roots[2:]
    shoulders = 0.8 * skeleton.roots[:2] + 0.2 * neck
    waist = 0.1 * neck + 0.95 * hips
    parts = [
        _make_part('neck', depth - 0.004, (0.9 * neck, 0.028),
                   (neck + _NECK * 0.6 * -pose.torso[:, 1], 0.026)),
        _make_part('torso', depth, (shoulders[0], 0.042),
                   (shoulders[1], 0.042), (waist[0], 0.046 * girth),
                   (waist[1], 0.046 * girth)),
        _make_part('pelvis', min(depth, 0.) - 0.002, (hips[0], 0.053 * girth),
                   (hips[1], 0.053 * girth))
    ]
    if body.skirt:
        knees = skeleton.middles[2:]
        hem = 0.35 * hips + 0.65 * knees
        # Just over the nearer thigh, which is the part that it falls on.
        depth = ((hips[:, 2] + knees[:, 2]) / 2).max() - 0.029
        parts.append(
            _make_part('skirt', depth, (hips[0], 0.055 * girth),
                       (hips[1], 0.055 * girth), (hem[0], 0.06 * girth),
                       (hem[1], 0.06 * girth)))
    return parts


class _Head(NamedTuple):
    center: np.ndarray  # (3, )
    points: np.ndarray  # _HEAD_POINTS in place, (8, 3)


def _place_head(skeleton: Skeleton, pose: Pose, scale: float) -> _Head:
    neck = skeleton.neck - 0.045 * pose.torso[:, 1]
    center = neck - (_NECK - 0.045) * scale * pose.head[:, 1]
    return _Head(center, center + scale * _HEAD_POINTS @ pose.head.T)


def _build_head(skeleton: Skeleton, pose: Pose, facing: bool, body: Body,
                head: _Head) -> List[_Part]:
    scale, points = body.head_scale, head.points
    across, down, forward = pose.head.T
    trunk_depth = _trunk_depth(skeleton)
    # Chin and hair fall over the chest or the back unless the person bends
    # far away from the camera.
    depth = max(head.center[2], trunk_depth - 0.04) + 0.05
    parts = [
        _make_part('skull', depth, (points[_SKULL], 0.055 * scale)),
        _make_part('face', depth + (0.002 if facing else -0.002),
                   (points[_BROW], 0.043 * scale),
                   (points[_CHIN], 0.027 * scale),
                   (points[_NOSE], 0.007 * scale))
    ]
    for ear, side in zip(points[_EARS], ('left', 'right')):
        offset = _offset_ear(ear[2] - head.center[2], body.long_hair)
        parts.append(
            _make_part(f'{side}_ear', depth + offset, (ear, 0.0115 * scale),
                       (ear + 0.012 * scale * down, 0.008 * scale)))
    if body.long_hair:
        tips = head.center + scale * (0.08 * down - 0.025 * forward)
        width = 0.028 * scale * across
        parts.append(
            _make_part('long_hair',
                       trunk_depth - 0.006 if facing else depth + 0.004,
                       (points[_SKULL], 0.058 * scale),
                       (tips + width, 0.032 * scale),
                       (tips - width, 0.032 * scale)))
    return parts


def _offset_ear(depth: float, long_hair: bool) -> float:
    """Before or behind skull and face, from the depth within the head."""
    if long_hair or depth < -0.022:
        return -0.003
    return 0.003 if depth > 0. else 0.001
