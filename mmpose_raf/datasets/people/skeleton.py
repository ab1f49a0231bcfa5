"""From the angles of a pose to the joints of a body.

Lengths are in body heights, in the axes of :mod:`.poses`.
"""

from dataclasses import dataclass
from typing import Tuple

import numpy as np

from .poses import Pose

# Lengths of bones and offsets of joints (Drillis and Contini's segment
# lengths, the shoulder and hip widths being those of the joints' centres).
_TORSO = 0.285
_SHOULDER, _HIP = 0.104, 0.052
_UPPER_BONES = np.array([0.18, 0.18, 0.245, 0.245])
_LOWER_BONES = np.array([0.15, 0.15, 0.24, 0.24])

# Limbs in the order left arm, right arm, left leg, right leg.
_SIDES = np.array([1., -1., 1., -1.])


@dataclass(frozen=True)
class Skeleton:
    """Joints of a body, in the camera's axes.

    The hips' middle is the origin. Limbs are in the order left arm, right
    arm, left leg, right leg.

    Args:
        roots (np.ndarray): Shoulders and hips, in shape (4, 3).
        middles (np.ndarray): Elbows and knees, in shape (4, 3).
        ends (np.ndarray): Wrists and ankles, in shape (4, 3).
        neck (np.ndarray): Where the neck leaves the torso, in shape (3, ).
        palms (np.ndarray): Directions from the wrists to the fingers, unit
            vectors in shape (2, 3).
        feet (np.ndarray): Directions from the ankles to the toes, in shape
            (2, 3).
    """
    roots: np.ndarray
    middles: np.ndarray
    ends: np.ndarray
    neck: np.ndarray
    palms: np.ndarray
    feet: np.ndarray


def build_skeleton(rng: np.random.Generator, pose: Pose) -> Skeleton:
    """Build a body in a pose, whose bones are of slightly random lengths.

    Args:
        rng (np.random.Generator): Source of the lengths.
        pose (Pose): The pose.

    Returns:
        Skeleton: The joints.
    """
    upper, lower = _direct_limbs(pose.angles)
    scale = 1. + 0.05 * rng.standard_normal(5).clip(-2., 2.)
    torso, pelvis = pose.torso, pose.pelvis
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
    toes = pose.toe_out
    forward = np.stack([np.sin(np.deg2rad(toes)),
                        np.zeros(2),
                        np.cos(np.deg2rad(toes))],
                       axis=1) @ pelvis.T
    shank = lower[2:]
    forward -= (forward * shank).sum(axis=1, keepdims=True) * shank
    forward /= np.linalg.norm(forward, axis=1, keepdims=True).clip(1e-6)
    return Skeleton(
        roots=roots,
        middles=middles,
        ends=ends,
        neck=neck,
        palms=lower[:2],
        feet=forward + 0.3 * shank)


def _direct_limbs(angles: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
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
