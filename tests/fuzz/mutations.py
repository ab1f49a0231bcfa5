"""Small seeded changes of configs, annotations and checkpoints."""

import copy
import math
import random
from typing import Any, Iterator, Tuple

# What users, tools and typing errors put where something else belongs.
VALUES = [
    None, True, False, 0, 1, -1, 3, 7, 10**12, 2**63, 10**30, .5, -.5, 1e30,
    1e-30, math.inf, -math.inf, math.nan, '', 'x', '3', 'a\nb', '../x', [], {},
    [0], [-1, -1], ['x'], [[]], {'type': 'x'}, {'type': None}, {'x': 1}
]

Path = Tuple[Any, ...]


def paths_of(value: Any, path: Path = ()) -> Iterator[Path]:
    """Paths of all that lies in a tree of dicts and lists."""
    items = value.items() if isinstance(value, dict) else enumerate(
        value) if isinstance(value, (list, tuple)) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths_of(item, (*path, key))


def mutate(tree: Any, rng: random.Random) -> Tuple[Any, str]:
    """Change one place of a tree of dicts and lists.

    Args:
        tree (dict | list): The tree; a changed copy is returned.
        rng (Random): What draws the change.

    Returns:
        tuple[Any, str]: The copy, and what was changed.
    """
    tree = _thaw(copy.deepcopy(tree))
    path = rng.choice(list(paths_of(tree)))
    parent = tree
    for key in path[:-1]:
        parent = parent[key]
    key, kind = path[-1], rng.random()
    name = '.'.join(map(str, path))
    if kind < .1:
        del parent[key]
        return tree, f'del {name}'
    if kind < .2 and isinstance(parent[key], dict):
        parent[key]['unknown'] = rng.choice(VALUES)
        return tree, f'{name}.unknown'
    if kind < .3 and isinstance(parent[key], (int, float)):
        parent[key] = parent[key] * rng.choice([-1, 2, 10, 1000])
    elif kind < .4 and isinstance(parent[key], list) and parent[key]:
        parent[key] = parent[key] * 2 if rng.random() < .5 else \
            parent[key][1:]
    else:
        parent[key] = copy.deepcopy(rng.choice(VALUES))
    return tree, f'{name} = {parent[key]!r}'[:200]


def _thaw(value: Any) -> Any:
    """Plain dicts, and lists in the place of tuples."""
    if isinstance(value, dict):
        return {key: _thaw(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_thaw(item) for item in value]
    return value


def damage(content: bytes, rng: random.Random) -> Tuple[bytes, str]:
    """Change the bytes of a file, as disks, networks and people do."""
    changed = bytearray(content)
    kind = rng.choice(['flip', 'flip', 'cut', 'zero', 'swap', 'append'])
    place = rng.randrange(len(changed))
    if kind == 'flip':
        changed[place] ^= 1 << rng.randrange(8)
    elif kind == 'cut':
        del changed[place:]
    elif kind == 'zero':
        end = min(len(changed), place + rng.choice([1, 16, 512]))
        changed[place:end] = bytes(end - place)
    elif kind == 'swap':
        other = rng.randrange(len(changed))
        size = rng.choice([1, 64])
        first, second = bytes(changed[place:place + size]), bytes(
            changed[other:other + size])
        changed[place:place + len(second)] = second
        changed[other:other + len(first)] = first
    else:
        changed += bytes(rng.randrange(256) for _ in range(20))
    return bytes(changed), f'{kind} at {place}'
