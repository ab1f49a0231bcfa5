"""The gaps between OpenMMLab's last releases and today's libraries."""

import abc
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import mmengine
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmengine.utils import get_installed_path, is_installed
from torch import nn

from mmpose_raf import compat

ROOT = Path(compat.__file__).parents[1]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder for fake packages, ahead of the real ones.

    Imported modules and finders are as before when the test is over.
    """
    modules, finders = dict(sys.modules), list(sys.meta_path)
    sys.meta_path[:] = [
        finder for finder in finders
        if not type(finder).__module__.startswith('mmpose_raf')
    ]
    for name in modules:
        if name.partition('.')[0] in ('mmcv', 'torchvision', 'pkg_resources'):
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
    sys.meta_path[:] = finders


def stand_ins():
    return [
        finder.package for finder in sys.meta_path
        if isinstance(finder, compat._StandIn)
    ]


class TestMMCVOps:
    LITE = {
        'mmcv/__init__.py': '',
        'mmcv/ops/__init__.py': 'from mmcv import _ext\nnms = _ext.nms\n',
    }
    INSTALL = ('pip install "setuptools<81" && '
               'pip install mmcv==2.1.0 --no-build-isolation')

    def test_lite(self, site):
        site(self.LITE)
        compat._replace_mmcv_ops()
        assert 'mmcv' not in sys.modules  # the search imports nothing

        from mmcv.ops import DeformConv2d
        from mmcv.ops.deep.below import RoIAlign
        for name, use in (('mmcv.ops.DeformConv2d', DeformConv2d),
                          ('mmcv.ops.deep.below.RoIAlign', RoIAlign)):
            with pytest.raises(ImportError) as error:
                use(3, 3, kernel_size=3)
            assert str(error.value).startswith(f'{name} needs')
            assert self.INSTALL in str(error.value)

    @pytest.mark.parametrize('problem', [
        'ImportError("undefined symbol: _ZN3c10")',
        'OSError("libcudart.so.11: cannot open shared object file")'
    ])
    def test_full_but_broken(self, site, problem):
        site({**self.LITE, 'mmcv/_ext.py': f'raise {problem}'})
        compat._replace_mmcv_ops()
        from mmcv.ops import nms
        with pytest.raises(ImportError) as error:
            nms([], [])
        assert problem.split('"')[1] in str(error.value)
        assert self.INSTALL in str(error.value)

    def test_full(self, site):
        site({**self.LITE, 'mmcv/_ext.py': 'def nms(): return "real"'})
        compat._replace_mmcv_ops()
        assert stand_ins() == []
        from mmcv.ops import nms
        assert nms() == 'real'

    def test_no_mmcv(self, site, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, 'path', [str(tmp_path)])
        compat._replace_mmcv_ops()
        assert stand_ins() == []

    def test_bases(self, site):
        """Modules that derive from an operator can be imported."""
        site(self.LITE)
        compat._replace_mmcv_ops()
        from mmcv.ops import DeformConv2d, SyncBatchNorm

        class First(DeformConv2d, nn.Module):
            pass

        class Last(nn.Module, DeformConv2d, metaclass=abc.ABCMeta):

            def __init__(self):
                """Without super(), as the placeholder is met before."""

        for cls in (First, Last):
            with pytest.raises(ImportError, match='^mmcv.ops.DeformConv2d '):
                cls()
        # So do MMEngine's checks for layers of these classes.
        assert not isinstance(nn.Conv2d(1, 1, 1), (First, SyncBatchNorm))

    def test_module_and_function_of_one_name(self, site):
        site(self.LITE)
        compat._replace_mmcv_ops()
        importlib.import_module('mmcv.ops.nms')
        from mmcv.ops import nms
        with pytest.raises(ImportError, match='^mmcv.ops.nms needs'):
            nms([], [])

    def test_names(self, site):
        site(self.LITE)
        compat._replace_mmcv_ops()
        ops = importlib.import_module('mmcv.ops')
        assert ops.RoIAlign is ops.RoIAlign
        assert ops.RoIAlign.__name__ == 'RoIAlign'
        for private in ('__wrapped__', '_private', '__all__'):
            assert not hasattr(ops, private)


class TestTorchvision:

    def test_works(self, site):
        site({
            'torchvision/__init__.py': '__version__ = "0.99"',
            'torchvision/transforms.py': 'ToPILImage = str',
        })
        compat._replace_torchvision()
        assert stand_ins() == []
        from torchvision.transforms import ToPILImage
        assert ToPILImage is str

    @pytest.mark.parametrize('problem', [
        'RuntimeError("operator torchvision::nms does not exist")',
        'OSError("_C.so: undefined symbol: _ZN5torch3jit17parseSchema")',
        'ImportError("cannot import name _meta_registrations")',
        'AttributeError("partially initialized module")',
        'ModuleNotFoundError("No module named PIL", name="PIL")',
    ])
    def test_broken(self, site, problem):
        site({
            'torchvision/__init__.py':
            f'import torchvision.extension\nraise {problem}',
            'torchvision/extension.py': '',
        })
        compat._replace_torchvision()
        assert 'torchvision.extension' not in sys.modules
        self.check_placeholder('0.0.0+broken')
        from torchvision.transforms import ToPILImage
        with pytest.raises(ImportError) as error:
            ToPILImage()
        assert problem.split('"')[1] in str(error.value)
        assert 'pip uninstall -y torchvision && ' in str(error.value)

    @pytest.fixture
    def missing(self, site):
        compat._replace_pkg_resources()  # for is_installed
        # None in sys.modules is Python's way to say that there is none.
        sys.modules['torchvision'] = None
        compat._replace_torchvision()
        del sys.modules['torchvision']

    def test_missing(self, missing):
        self.check_placeholder('0.0.0+missing')

    def check_placeholder(self, version):
        import torchvision
        from torchvision.transforms import ToPILImage
        assert torchvision.__version__ == version
        transforms = sys.modules['torchvision.transforms']
        install = (f'pip install torch=={torch.__version__.split("+")[0]} '
                   'torchvision')
        for name, use in {
                'torchvision.transforms.ToPILImage': ToPILImage,
                'torchvision.models': lambda: torchvision.models,
                'torchvision.transforms.Resize': lambda: transforms.Resize,
                'torchvision.ops':
                lambda: importlib.import_module('torchvision.ops'),
        }.items():
            with pytest.raises(ImportError) as error:
                use()
            assert str(error.value).startswith(f'{name} needs torchvision')
            assert install in str(error.value)

    def test_probes(self, missing):
        """Other libraries see whether it is installed, and not more."""
        installed = any(importlib.metadata.distributions(name='torchvision'))
        assert is_installed('torchvision') == installed
        import torchvision
        assert importlib.util.find_spec('torchvision') is torchvision.__spec__
        assert torchvision.__spec__.origin is None
        assert is_installed('torchvision') == installed
        with pytest.raises(ModuleNotFoundError):
            importlib.util.find_spec('torchvision.ops')
        with pytest.raises(ImportError):
            from torchvision.ops import nms  # noqa: F401
        assert not hasattr(torchvision, '__file__')

    def test_weights_of_its_models(self, missing):
        from mmengine.runner.checkpoint import get_torchvision_models
        with pytest.raises(ImportError, match='torchvision.models needs'):
            get_torchvision_models()


class TestPkgResources:

    def test_works(self, site):
        site({'pkg_resources.py': 'genuine = True'})
        compat._replace_pkg_resources()
        assert stand_ins() == []
        import pkg_resources
        assert pkg_resources.genuine

    def test_gone(self, site):
        sys.modules['pkg_resources'] = None
        compat._replace_pkg_resources()
        del sys.modules['pkg_resources']

        assert is_installed('mmengine')
        assert is_installed('json')  # not a distribution, but a module
        assert not is_installed('no_such_package')
        folder = str(Path(mmengine.__file__).parent)
        assert get_installed_path('mmengine') == folder
        with pytest.raises(Exception, match='no_such_package'):
            get_installed_path('no_such_package')
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module('pkg_resources.extern')

    def test_distribution_named_otherwise(self, site, tmp_path):
        """MMEngine takes the module's name from the metadata."""
        sys.modules['pkg_resources'] = None
        compat._replace_pkg_resources()
        del sys.modules['pkg_resources']
        site({
            'fake_dist-1.0.dist-info/METADATA':
            'Metadata-Version: 2.1\nName: fake-dist\nVersion: 1.0\n',
            'fake_dist-1.0.dist-info/top_level.txt': 'fake_module\n',
            'fake_module/__init__.py': '',
            'vague_dist-1.0.dist-info/METADATA':
            'Metadata-Version: 2.1\nName: vague-dist\nVersion: 1.0\n',
        })
        assert get_installed_path('fake-dist') == str(tmp_path / 'fake_module')
        with pytest.raises(ValueError, match='can not infer'):
            get_installed_path('vague-dist')


class TestAfterImport:

    def test_later(self, site):
        site({'fake_later.py': 'value = 1'})
        patched = []
        compat._AfterImport('fake_later', patched.append).install()
        assert importlib.util.find_spec('fake_later') is not None
        assert patched == []
        import fake_later
        import fake_later as again
        assert patched == [fake_later] and again.value == 1

    def test_already_imported(self, site):
        site({'fake_now.py': ''})
        import fake_now
        patched, finders = [], list(sys.meta_path)
        compat._AfterImport('fake_now', patched.append).install()
        assert patched == [fake_now] and sys.meta_path == finders

    def test_absent(self, site):
        compat._AfterImport('fake_absent', pytest.fail).install()
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module('fake_absent')


class TestDrawing:

    @pytest.mark.parametrize('version, mended', [('1.26.4', 0), ('2.3.5', 0),
                                                 ('2.4.0', 1), ('2.10.1', 1)])
    def test_versions(self, site, monkeypatch, version, mended):
        monkeypatch.setattr(np, '__version__', version)
        name = 'mmpose.visualization.opencv_backend_visualizer'
        monkeypatch.delitem(sys.modules, name, raising=False)
        compat._mend_drawing()
        hooks = [
            finder.name for finder in sys.meta_path
            if isinstance(finder, compat._AfterImport)
        ]
        assert hooks == [name] * mended

    def test_arrays(self):

        class Visualizer:
            drawn = []

            def draw_circles(self, center, radius, face_colors='none'):
                if self.backend == 'opencv' and np.ndim(radius) > 0:
                    raise TypeError('only 0-dimensional arrays')  # numpy 2.4
                self.drawn.append((center, radius, face_colors))

        module = types.SimpleNamespace(OpencvBackendVisualizer=Visualizer)
        compat._accept_radius_arrays(module)
        visualizer = Visualizer()
        radius = np.array([3])
        visualizer.backend = 'opencv'
        visualizer.draw_circles((1, 2), radius, face_colors='r')
        visualizer.draw_circles((1, 2), 4)
        visualizer.backend = 'matplotlib'
        visualizer.draw_circles((1, 2), radius)
        assert visualizer.drawn[:2] == [((1, 2), 3, 'r'), ((1, 2), 4, 'none')]
        assert visualizer.drawn[2][1] is radius

    def test_keypoint(self):
        """On the numpy that is installed, whichever it is."""
        from mmpose.structures import PoseDataSample
        from mmpose.visualization import PoseLocalVisualizer
        visualizer = PoseLocalVisualizer(radius=3)
        visualizer.set_dataset_meta(
            dict(
                keypoint_colors=np.array([[255, 0, 0]]),
                skeleton_links=[],
                skeleton_link_colors=np.zeros((0, 3))))
        sample = PoseDataSample(
            pred_instances=InstanceData(
                keypoints=np.array([[[20., 30.]]]),
                keypoint_scores=np.ones((1, 1))))
        image = visualizer.add_datasample(
            'image',
            np.zeros((64, 64, 3), np.uint8),
            sample,
            draw_gt=False,
            draw_bbox=False)
        assert image[30, 20].tolist() == [255, 0, 0]
        assert image[30, 26].tolist() == [0, 0, 0]


class TestBfloat16:

    def test_values(self):
        from mmpose.utils.tensor_utils import to_numpy
        values = [[0.5, -3.], [1024., 0.]]  # exact in bfloat16
        tensor = torch.tensor(values, dtype=torch.bfloat16)
        array, device = to_numpy(tensor, return_device=True)
        assert array.dtype == np.float32 and device == tensor.device
        assert array.tolist() == values
        for array in to_numpy([tensor, tensor]):
            assert array.tolist() == values
        pair = to_numpy((tensor, tensor + 1), unzip=True)[1]
        assert [array.tolist() for array in pair] == [[[1024., 0.]],
                                                      [[1024., 1.]]]

    @pytest.mark.parametrize('dtype',
                             [torch.float16, torch.float64, torch.int])
    def test_other_types_stay(self, dtype):
        from mmpose.utils.tensor_utils import to_numpy
        tensor = torch.ones(2, dtype=dtype)
        assert to_numpy(tensor).dtype == tensor.numpy().dtype
        array = np.ones(2)
        assert to_numpy(array) is array

    def test_works_already(self, site):
        site({'fake_cured.py': 'def to_numpy(x): return x.float().numpy()'})
        import fake_cured
        to_numpy = fake_cured.to_numpy
        compat._accept_bfloat16(fake_cured)
        assert fake_cured.to_numpy is to_numpy

    def test_importers(self, site):
        """Modules that took the name before have the new function."""
        site({
            'fake_source.py':
            '''
            def to_numpy(x):
                """The original."""
                return x.numpy()
            ''',
            'fake_user.py':
            'from fake_source import to_numpy',
        })
        import fake_source
        import fake_user
        compat._accept_bfloat16(fake_source)
        assert fake_user.to_numpy is fake_source.to_numpy
        assert fake_user.to_numpy.__doc__ == 'The original.'
        tensor = torch.ones(1, dtype=torch.bfloat16)
        assert fake_user.to_numpy(tensor).dtype == np.float32

    def test_loss_of_heatmap_head(self):
        from mmpose.models.heads import HeatmapHead
        from mmpose.structures import PoseDataSample
        from mmpose.utils import register_all_modules
        register_all_modules()
        head = HeatmapHead(
            4, 2, deconv_out_channels=None, loss=dict(type='KeypointMSELoss'))
        sample = PoseDataSample(
            gt_fields=InstanceData(heatmaps=torch.rand(2, 8, 8)),
            gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, 2)))
        with torch.autocast('cpu', torch.bfloat16):
            losses = head.loss((torch.rand(1, 4, 8, 8), ), [sample])
        assert 0 <= losses['acc_pose'] <= 1


def test_apply_is_idempotent():
    from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint
    compat.apply()
    finders = list(sys.meta_path)
    load = CheckpointLoader.load_checkpoint
    compat.apply()
    from mmengine.runner import checkpoint
    assert sys.meta_path == finders
    assert CheckpointLoader.load_checkpoint == load
    assert checkpoint.save_checkpoint is save_checkpoint


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
    torchvision=collect_env()['TorchVision'],
    compiler=mmcv.utils.collect_env()['MMCV Compiler'],
    ffn='FFN' in MODELS)))
'''


@pytest.mark.slow
def test_fresh_interpreter():
    """Everything as a user meets it, with what is installed here."""
    result = subprocess.run([sys.executable, '-c', FRESH],
                            env=dict(os.environ, PYTHONPATH=str(ROOT)),
                            capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout.splitlines()[-1])
    ours = [w for w in facts['warnings'] if 'mmpose_raf' in w[1]]
    assert ours == []
    assert not any('Fail to import' in w[2] for w in facts['warnings'])
    assert facts['torchvision'] and facts['compiler']
    assert facts['ffn']
