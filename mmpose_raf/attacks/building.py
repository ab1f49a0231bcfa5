"""From the attacks that a config names to what carries them out."""

from typing import Callable, List, Sequence, Type, TypeVar

from mmpose.datasets.transforms import TopdownAffine

from mmpose_raf.building import build
from mmpose_raf.registry import ATTACKS
from .base import SampleAttack

Kind = TypeVar('Kind')


def build_attacks(configs: Sequence[dict], kind: Type[Kind],
                  field: str) -> List[Kind]:
    """Build the attacks of one kind that a client makes.

    Args:
        configs (list[dict]): Configs of all its attacks.
        kind (type): :class:`SampleAttack` or :class:`UpdateAttack`.
        field (str): Where they stand in the config, for messages.

    Raises:
        ConfigError: If one has no such type or argument.
    """
    attacks = [build(ATTACKS, config, field) for config in configs]
    return [attack for attack in attacks if isinstance(attack, kind)]


def insert_after_crop(transforms: Sequence[Callable],
                      attacks: Sequence[SampleAttack]) -> List[Callable]:
    """A pipeline with attacks on what it crops.

    Args:
        transforms (list): Transforms, with one ``TopdownAffine``.
        attacks (list[SampleAttack]): What comes after it.
    """
    poisoned = []
    for step in transforms:
        poisoned.append(step)
        if isinstance(step, TopdownAffine):
            poisoned.extend(attacks)
    return poisoned
