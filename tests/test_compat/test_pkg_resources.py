"""pkg_resources there and gone."""

import importlib
import warnings
from pathlib import Path

import mmengine
import pytest
from mmengine.utils import get_installed_path, is_installed

from mmpose_raf_compat import pkg_resources as pkg_resources_gap


def test_works(site):
    site({'pkg_resources.py': 'genuine = True'})
    pkg_resources_gap.close()
    import pkg_resources
    assert pkg_resources.genuine


def test_gone(without):
    without('pkg_resources')
    pkg_resources_gap.close()

    assert is_installed('mmengine')
    assert is_installed('json')  # not a distribution, but a module
    assert not is_installed('no_such_package')
    folder = str(Path(mmengine.__file__).parent)
    assert get_installed_path('mmengine') == folder
    with pytest.raises(Exception, match='no_such_package'):
        get_installed_path('no_such_package')
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('pkg_resources.extern')


def test_distribution_named_otherwise(site, without, tmp_path):
    """MMEngine takes the module's name from the metadata."""
    without('pkg_resources')
    pkg_resources_gap.close()
    site({
        'fake_dist-1.0.dist-info/METADATA':
        'Metadata-Version: 2.1\nName: fake-dist\nVersion: 1.0\n',
        'fake_dist-1.0.dist-info/top_level.txt':
        'fake_module\n',
        'fake_module/__init__.py':
        '',
        'vague_dist-1.0.dist-info/METADATA':
        'Metadata-Version: 2.1\nName: vague-dist\nVersion: 1.0\n',
    })
    assert get_installed_path('fake-dist') == str(tmp_path / 'fake_module')
    with pytest.raises(ValueError, match='can not infer'):
        get_installed_path('vague-dist')


def test_no_warning(site):
    site({
        'pkg_resources.py':
        '''
        import warnings
        warnings.warn('pkg_resources is deprecated as an API. See elsewhere')
        warnings.warn('another')
        '''
    })
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        pkg_resources_gap.close()
        importlib.import_module('pkg_resources')
    assert [str(warning.message) for warning in caught] == ['another']
