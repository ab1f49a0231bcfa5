"""Finders that step in when a module is imported."""

import importlib
import importlib.util
import sys

import pytest

from mmpose_raf_compat.finders import AfterImport, Fallback


def test_later(site):
    site({'fake_later.py': 'value = 1'})
    patched = []
    AfterImport('fake_later', patched.append).install()
    assert importlib.util.find_spec('fake_later') is not None
    assert patched == []
    import fake_later
    import fake_later as again
    assert patched == [fake_later] and again.value == 1


def test_already_imported(site):
    site({'fake_now.py': ''})
    import fake_now
    patched, finders = [], list(sys.meta_path)
    AfterImport('fake_now', patched.append).install()
    assert patched == [fake_now] and sys.meta_path == finders


def test_absent(site):
    AfterImport('fake_absent', pytest.fail).install()
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module('fake_absent')


def test_two_patches_of_one_module(site):
    site({'fake_twice.py': ''})
    patched = []
    AfterImport('fake_twice', lambda _: patched.append('first')).install()
    AfterImport('fake_twice', lambda _: patched.append('second')).install()
    importlib.import_module('fake_twice')
    assert sorted(patched) == ['first', 'second']


def test_an_error_in_a_check_brings_the_stand_in(site):
    site({'fake_half/__init__.py': '', 'fake_half/part.py': 'import nobody'})
    real = type(sys)

    def make(name, failure):
        module = real(name)
        module.failure = failure
        return module

    Fallback('fake_half', make,
             lambda: importlib.import_module('fake_half.part')).install()
    import fake_half
    assert fake_half.failure.name == 'nobody'
    assert 'fake_half.part' not in sys.modules
    assert importlib.import_module('fake_half.other').failure.name == 'nobody'


def test_an_error_of_another_kind_comes_through(site):
    site({'fake_bug.py': 'assert False'})
    Fallback('fake_bug', pytest.fail).install()
    with pytest.raises(AssertionError):
        importlib.import_module('fake_bug')
    assert 'fake_bug' not in sys.modules
