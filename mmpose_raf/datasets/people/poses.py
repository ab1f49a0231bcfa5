"""Which poses rendered people take: joint angles and orientations.

Angles are in degrees. Axes: x to the right and y down in the image, z to the
camera. A person at rest faces the camera, so that its left is at +x.
"""

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Tuple

import numpy as np


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
class Pose:
    """How a person holds itself before the camera.

    Args:
        pelvis (np.ndarray): Axes of the pelvis as columns, in the camera's
            axes, in shape (3, 3).
        torso (np.ndarray): The same of the torso.
        head (np.ndarray): The same of the head.
        angles (np.ndarray): Flexion, abduction, bend and roll of left arm,
            right arm, left leg and right leg, in shape (4, 4), see
            :class:`PoseFamily`.
        toe_out (np.ndarray): By how many degrees the left and the right foot
            turn to the person's left, in shape (2, ).
    """
    pelvis: np.ndarray
    torso: np.ndarray
    head: np.ndarray
    angles: np.ndarray
    toe_out: np.ndarray


def choose_family(chance: float) -> int:
    """Index of the family that a chance in [0, 1) falls on."""
    return int(np.searchsorted(_FAMILY_BOUNDS, chance, side='right'))


def sample_pose(rng: np.random.Generator, facing: bool, family: int) -> Pose:
    """Draw a random pose.

    Args:
        rng (np.random.Generator): Source of all choices.
        facing (bool): Whether the person faces the camera.
        family (int): Index of the family in :data:`POSE_FAMILIES`.

    Returns:
        Pose: The pose.
    """
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
    return Pose(
        pelvis=pelvis,
        torso=torso,
        head=head,
        angles=angles,
        toe_out=np.array([12. + 8. * normal[23], -12. - 8. * normal[23]]))


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
