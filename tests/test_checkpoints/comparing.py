"""What the tests of checkpoints compare."""

from collections import deque

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


def assert_same(a, b):
    """Equal in types, values, orders and attributes, NaN being equal."""
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.numpy().tobytes() == b.numpy().tobytes()
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape
        assert a.flags.fnc == b.flags.fnc and b.flags.writeable
        if a.dtype == object:
            assert_same(a.ravel().tolist(), b.ravel().tolist())
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, HistoryBuffer):
        assert a.max_length == b.max_length
        assert_same(a.data, b.data)
    elif isinstance(a, dict):
        # The order of the keys is a part of it.
        assert_same(list(a), list(b))
        assert_same(list(a.values()), list(b.values()))
        assert_same(getattr(a, '_metadata', 0), getattr(b, '_metadata', 0))
    elif isinstance(a, (list, tuple, deque)):
        assert len(a) == len(b)
        assert getattr(a, 'maxlen', 0) == getattr(b, 'maxlen', 0)
        for item_a, item_b in zip(a, b):
            assert_same(item_a, item_b)
    elif isinstance(a, (set, frozenset)):
        assert set(map(repr, a)) == set(map(repr, b))
    else:
        assert a == b or repr(a) == repr(b)


def assert_one_line(error):
    assert len(str(error.value).splitlines()) == 1
    assert error.value.__cause__ is None
    assert error.value.__context__ is None
