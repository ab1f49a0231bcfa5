"""What rendered people wear: colours, patterns and cuts.

Left and right are dressed alike: only the pose, the face and the order of the
parts tell them apart. Colours are BGR.
"""

from dataclasses import dataclass
from typing import Dict

import numpy as np

_SKINS = np.array([(180, 205, 242), (150, 185, 230), (125, 165, 215),
                   (95, 135, 190), (65, 100, 150), (45, 70, 110),
                   (35, 50, 80)], dtype=float)  # yapf: disable
_HAIRS = np.array([(25, 25, 30), (35, 50, 75), (50, 85, 130),
                   (105, 165, 205), (50, 80, 160), (170, 170, 175)],
                  dtype=float)  # yapf: disable
_IRISES = np.array([(40, 30, 20), (70, 45, 20), (30, 50, 45), (20, 20, 20)],
                   dtype=float)

#: Kinds of patterns, the plain one twice as likely as the others.
PATTERNS = ('plain', 'plain', 'rings', 'stripes', 'check', 'dots', 'patch')

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


def sample_look(rng: np.random.Generator, has_skirt: bool) -> Look:
    """Dress a person at random.

    Args:
        rng (np.random.Generator): Source of all choices.
        has_skirt (bool): Whether it wears a skirt.
    """
    colours = dict(
        skin=_vary(rng, _SKINS[rng.integers(len(_SKINS))], 12),
        hair=_vary(rng, _HAIRS[rng.integers(len(_HAIRS))], 14),
        iris=_IRISES[rng.integers(len(_IRISES))],
        shirt=sample_colour(rng),
        trousers=sample_colour(rng),
        skirt=sample_colour(rng),
        shoes=sample_colour(rng) * rng.uniform(0.3, 1.))
    if rng.random() < 0.12:  # an overall or a dress
        colours['trousers'] = colours['skirt'] = colours['shirt']
    patterns = {
        garment: (PATTERNS[rng.integers(len(PATTERNS))], sample_colour(rng))
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


def sample_colour(rng: np.random.Generator) -> np.ndarray:
    """A colour from grey to saturated, from dark to light."""
    value, saturation = rng.uniform(30, 240), rng.random()**1.5
    return value * (1. - saturation * rng.random(3))
