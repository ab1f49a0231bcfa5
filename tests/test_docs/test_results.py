"""The results that lie in docs/ are those of sets that can be run again."""

from pathlib import Path

import pytest

from mmpose_raf.evaluation import DriftResult
from mmpose_raf.experiments import load_experiments

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / 'docs/results'
# The tables of algorithms.md have a test of their own.
STUDIES = sorted(set(RESULTS.iterdir()) - {RESULTS / 'algorithms'})
# Some models were tested with every input at the highest size as well.
FOLDERS = [*STUDIES, *sorted(RESULTS.glob('*/highest'))]
# What the tables give, a row for each group of seeds.
TEXT = ''.join((ROOT / f'docs/{name}.md').read_text()
               for name in ('results', 'results_details'))


def id_of(folder):
    return '-'.join(folder.relative_to(RESULTS).parts)


def set_of(folder):
    return folder.relative_to(RESULTS).parts[0]


def results_of(folder):
    return [DriftResult.load(path) for path in sorted(folder.glob('*.json'))]


@pytest.mark.parametrize('folder', FOLDERS, ids=id_of)
def test_they_are_of_a_set(folder):
    experiments = {
        experiment.name: experiment.config
        for experiment in load_experiments(
            ROOT / f'configs/experiments/{set_of(folder)}.py')
    }
    results = results_of(folder)
    assert results
    for result in results:
        tested = experiments[result.name].test_cfg.input_sizes
        assert set(result.input_sizes) <= set(map(tuple, tested))
    # One table compares one set of persons.
    assert len({result.fingerprint for result in results}) == 1


@pytest.mark.parametrize('folder', FOLDERS, ids=id_of)
def test_the_tables_give_them(folder):
    """Each mean over the seeds stands in a row of a table."""
    digits = 2 if set_of(folder).startswith('faces') else 1
    groups = {}
    for result in results_of(folder):
        name = result.name.rpartition('-seed')[0]
        groups.setdefault(name, []).append(result.accuracy)
    rows = [line.replace('*', '') for line in TEXT.splitlines()]
    for name, seeds in groups.items():
        means = [
            f'{100 * sum(seed[size] for seed in seeds) / len(seeds):.{digits}f}'
            for size in seeds[0]
        ]
        assert any(
            [cell.split(' ± ')[0].strip() for cell in row.split('|')
             ][-len(means) - 1:-1] == means for row in rows), (name, means)
