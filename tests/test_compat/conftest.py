"""Fake packages, imported in the place of the real ones."""

import importlib
import sys
import textwrap

import pytest

from mmpose_raf_compat import finders

PACKAGES = ('mmcv', 'torchvision', 'pkg_resources', 'xtcocotools')


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder for fake packages, ahead of the real ones.

    Imported modules and finders are as before when the test is over.
    """
    modules, found_by = dict(sys.modules), list(sys.meta_path)
    sys.meta_path[:] = [
        finder for finder in found_by
        if not type(finder).__module__.startswith('mmpose_raf_compat')
    ]
    for name in modules:
        if name.partition('.')[0] in PACKAGES:
            del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        importlib.invalidate_caches()

    yield write
    sys.modules.clear()
    sys.modules.update(modules)
    sys.meta_path[:] = found_by


@pytest.fixture
def without(site, monkeypatch):
    """Hides a package from the finders behind ours."""
    find_behind = finders.find_behind

    def hide(package):
        monkeypatch.setattr(
            finders, 'find_behind', lambda finder, name, *args: None
            if name == package else find_behind(finder, name, *args))

    return hide
