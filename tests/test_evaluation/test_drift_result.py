"""Results and galleries as files."""

import json

import numpy as np
import pytest

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import (ClientResult, DriftGallery, DriftResult,
                                   View)
from tests.test_evaluation.drift_results import (HIGH, LOW, make_gallery,
                                                 make_result)


def some_result():
    result = make_result('run', {LOW: .5, HIGH: .75}, {LOW: 1.},
                         {View(HIGH, LOW): .6, View(LOW, None, HIGH): .7})
    result.clients = [ClientResult('a', View(LOW), 7, dict(PCK=.4))]
    return result


def test_a_result_comes_back_from_its_file(tmp_path):
    result = some_result()
    result.save(tmp_path / 'drift.json')
    assert DriftResult.load(tmp_path / 'drift.json') == result
    tree = json.loads((tmp_path / 'drift.json').read_text())
    assert tree['summary']['drift'] == .25
    assert tree['views'][0]['view']['input_size'] == list(LOW)


def test_other_views_do_not_count_for_the_summary():
    result = some_result()
    assert result.accuracy == {LOW: .5, HIGH: .75}
    assert result.summary['trained/mean'] == .625


@pytest.mark.parametrize('text, message', [
    (None, 'No such file'),
    ('{', 'no JSON'),
    ('[]', 'no drift result'),
    ('{"format": 7}', 'no drift result'),
    ('{"format": 1}', "KeyError: 'summary'"),
    ('{"format": 1, "summary": {}, "trained_sizes": [3]}', 'TypeError'),
    ('{"format": 1, "summary": {}, "trained_sizes": [], "input_sizes": [],'
     '"views": [], "clients": [], "more": 1}', 'more'),
])
def test_other_files_are_refused(tmp_path, text, message):
    path = tmp_path / 'drift.json'
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as error:
        DriftResult.load(path)
    assert str(path) in str(error.value)
    assert '\n' not in str(error.value)


def test_a_gallery_comes_back_from_its_file(tmp_path):
    gallery = make_gallery([View(LOW), View(LOW, None, HIGH)])
    gallery.save(tmp_path / 'gallery.npz')
    loaded = DriftGallery.load(tmp_path / 'gallery.npz')
    np.testing.assert_array_equal(loaded.skeleton, gallery.skeleton)
    for found, view in zip(loaded.views, gallery.views):
        assert found.name == view.name
        for key in ('crops', 'predicted', 'scores', 'truth', 'visible'):
            np.testing.assert_array_equal(
                getattr(found, key), getattr(view, key))
