"""How the gaps are closed: at once, and at the first import of a package."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mmpose_raf
import mmpose_raf_compat

ROOT = Path(mmpose_raf.__file__).parents[1]


def run_python(code):
    """What a fresh interpreter prints last, from JSON."""
    result = subprocess.run([sys.executable, '-c', code],
                            env=dict(os.environ, PYTHONPATH=str(ROOT)),
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_closing_again_changes_nothing():
    from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint
    finders = list(sys.meta_path)
    load = CheckpointLoader.load_checkpoint
    mmpose_raf_compat.close_gaps()
    mmpose_raf.checkpoints.install()
    from mmengine.runner import checkpoint
    assert sys.meta_path == finders
    assert CheckpointLoader.load_checkpoint == load
    assert checkpoint.save_checkpoint is save_checkpoint


def test_start_of_the_interpreter_imports_nothing():
    """Also a look for something else leaves everything as it was."""
    facts = run_python('''
import sys
before = set(sys.modules)
import mmpose_raf_compat
mmpose_raf_compat.close_gaps_at_first_import()
import colorsys
new = set(sys.modules) - before
import json
print(json.dumps(sorted(new)))
''')
    # Where it is installed, the package was there before.
    assert set(facts) - {'mmpose_raf_compat'} == {'colorsys'}


FRESH = '''
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter('default')
    import mmpose_raf
    import mmpose.models, mmpose.visualization
from mmpose.utils import register_all_modules
register_all_modules()
import mmcv.cnn.bricks.transformer
import mmcv.utils
from mmengine.registry import MODELS
from mmengine.utils.dl_utils import collect_env
print(json.dumps(dict(
    warnings=[[w.category.__name__, w.filename, str(w.message)]
              for w in caught],
    torch=collect_env()['PyTorch'],
    compiler=mmcv.utils.collect_env()['MMCV Compiler'],
    ffn='FFN' in MODELS)))
'''


@pytest.mark.slow
def test_fresh_interpreter():
    """Everything as a user meets it, with what is installed here."""
    facts = run_python(FRESH)
    assert [w for w in facts['warnings'] if 'mmpose_raf' in w[1]] == []
    assert not any('Fail to import' in w[2] for w in facts['warnings'])
    assert facts['torch'] and facts['compiler']
    assert facts['ffn']


@pytest.mark.slow
def test_mmpose_before_mmpose_raf():
    """A script that knows nothing of mmpose_raf imports all of MMPose."""
    facts = run_python('''
import mmpose_raf_compat
mmpose_raf_compat.close_gaps_at_first_import()
import mmpose.apis
import mmpose.models
import json, sys
print(json.dumps(['mmpose_raf' in sys.modules,
                  hasattr(mmpose.apis, 'MMPoseInferencer')]))
''')
    assert facts == [False, True]
