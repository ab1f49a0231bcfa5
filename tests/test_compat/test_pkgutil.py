"""What looks for the compiled operators on Python 3.14."""

import pkgutil
import types

from mmpose_raf_compat import pkgutil as pkgutil_gap


def test_gone(site):
    site({'fake_parent/__init__.py': '', 'fake_parent/part.py': ''})
    module = types.SimpleNamespace(pkgutil=types.SimpleNamespace())
    pkgutil_gap._give_find_loader(module)
    assert module.pkgutil.find_loader('fake_parent.part') is not None
    assert module.pkgutil.find_loader('fake_parent._ext') is None


def test_still_there():
    real = types.SimpleNamespace(find_loader=pkgutil.iter_modules)
    module = types.SimpleNamespace(pkgutil=real)
    pkgutil_gap._give_find_loader(module)
    assert module.pkgutil is real


def test_in_mmengine_and_mmcv():
    """On the Python that is running, whichever it is."""
    from mmcv.utils.ext_loader import check_ops_exist
    from mmengine.utils.dl_utils import mmcv_full_available
    assert mmcv_full_available() == check_ops_exist()
