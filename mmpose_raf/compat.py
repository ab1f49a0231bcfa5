"""Gaps between OpenMMLab's last releases and today's libraries.

MMEngine 0.10.7, MMCV 2.1.0 and MMPose 1.3.2 are the last releases of their
projects. :func:`apply` closes the gaps that have opened since, so that
training needs neither pinned old libraries nor the compiled operators of the
full mmcv. Where the real thing works, it is left alone.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import types
from typing import Any, Callable, Optional

import numpy as np
import torch

_INSTALL_MMCV = ('pip install "setuptools<81" && '
                 'pip install mmcv==2.1.0 --no-build-isolation')
# Naming the installed torch makes pip choose the torchvision for it.
_INSTALL_TORCHVISION = ('pip install '
                        f'torch=={torch.__version__.partition("+")[0]} '
                        'torchvision')


@functools.lru_cache(maxsize=None)
def apply() -> None:
    """Close the gaps, once; what works is not touched.

    - ``mmcv.ops`` without the full mmcv: placeholders that refuse to be used.
    - ``torchvision`` missing or broken: a placeholder that imports.
    - ``pkg_resources`` gone (setuptools >= 82): what MMEngine needs of it.
    - numpy >= 2.4: MMPose draws keypoints with the OpenCV backend again.
    - bfloat16: MMPose's ``to_numpy`` gives float32.
    - Checkpoints: see :mod:`mmpose_raf.safe_checkpoint`.
    """
    _replace_pkg_resources()
    _replace_torchvision()
    _replace_mmcv_ops()
    _mend_drawing()
    _mend_to_numpy()
    # Imports mmengine, for which the above has to be in place.
    from mmpose_raf import safe_checkpoint
    safe_checkpoint.install()


def replace_everywhere(function: Callable, replacement: Callable) -> None:
    """Replace a function in the modules that have imported it by name.

    Args:
        function (Callable): A function of a module.
        replacement (Callable): What shall go by its name from now on.
    """
    for module in list(sys.modules.values()):
        # Not getattr, at which some modules import others.
        namespace = getattr(module, '__dict__', {})
        if namespace.get(function.__name__) is function:
            namespace[function.__name__] = replacement


class _StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports made-up modules in the place of a package.

    Args:
        package (str): The package, e.g. ``mmcv.ops``.
        create (Callable): Makes a module from its name, which is the
            package's or one below it. Raises ModuleNotFoundError where
            nothing shall be.
    """

    def __init__(self, package: str,
                 create: Callable[[str], types.ModuleType]):
        self.package = package
        self.create = create

    def install(self) -> None:
        """Go first, ahead of the files of a broken or a partial package."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self,
        name: str,
        path: Optional[Any] = None,
        target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != self.package and not name.startswith(f'{self.package}.'):
            return None
        # Once torchvision's placeholder is imported, find_spec('torchvision')
        # gives the placeholder's spec, and raises ValueError if that is None:
        # it cannot say "not installed". A spec without an origin comes
        # closest. MMEngine's is_installed takes it for absent, and who asks
        # importlib.metadata for the version, as transformers does, learns
        # what is installed.
        return importlib.machinery.ModuleSpec(
            name, self, loader_state=self.create(name), is_package=True)

    def create_module(
            self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return spec.loader_state

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing to run: also what ``importlib.reload`` comes to."""


class _AfterImport(importlib.abc.MetaPathFinder):
    """Patches a module as soon as somebody imports it.

    Args:
        name (str): Name of the module.
        patch (Callable): Is called with the module.
    """

    def __init__(self, name: str, patch: Callable[[types.ModuleType], None]):
        self.name = name
        self.patch = patch

    def install(self) -> None:
        """Patch now if the module is there, else when it comes."""
        if self.name in sys.modules:
            self.patch(sys.modules[self.name])
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self,
        name: str,
        path: Optional[Any] = None,
        target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        if name != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            run = spec.loader.exec_module

            def run_and_patch(module: types.ModuleType) -> None:
                run(module)
                self.patch(module)

            spec.loader.exec_module = run_and_patch
        return spec


# -- placeholders ------------------------------------------------------------


def _placeholder(name: str, problem: str) -> type:
    """A class that may be imported and inherited from, but not called.

    It stands for functions too: they are called, as classes are.
    """

    def refuse(cls, *args, **kwargs):
        raise ImportError(f'{name} {problem}')

    module, _, short = name.rpartition('.')
    # A plain class, so that it goes with other bases and their metaclasses.
    return type(short, (), dict(__new__=refuse, __module__=module))


class _PlaceholderModule(types.ModuleType):
    """A module that imports, and refuses what is asked of it.

    Args:
        name (str): Its name.
        problem (str): Why it refuses, and what to do about it.
    """

    def __init__(self, name: str, problem: str):
        super().__init__(name)
        self._problem = problem

    def __getattr__(self, name: str) -> Any:
        if name.startswith('_'):
            raise AttributeError(
                f'module {self.__name__!r} has no attribute {name!r}')
        return self._find(name)


# -- mmcv.ops ----------------------------------------------------------------


class _MMCVOps(_PlaceholderModule):
    """``mmcv.ops`` or a module below it: every name is a placeholder."""

    def _find(self, name: str) -> type:
        # mmcv.utils.collect_env calls these two unless importing them says
        # that there is no such module, which is what mmcv-lite says.
        if name in ('get_compiler_version', 'get_compiling_cuda_version'):
            raise ModuleNotFoundError(
                f'{self.__name__}.{name} {self._problem}')
        value = _placeholder(f'{self.__name__}.{name}', self._problem)
        setattr(self, name, value)
        return value

    def __call__(self, *args, **kwargs):
        # mmcv.ops.nms is both a function and a module, and which one the name
        # gives depends on what was imported last.
        raise ImportError(f'{self.__name__} {self._problem}')


def _replace_mmcv_ops() -> None:
    problem = _problem_of_mmcv_ops()
    if problem is not None:
        _StandIn('mmcv.ops', lambda name: _MMCVOps(name, problem)).install()


def _problem_of_mmcv_ops() -> Optional[str]:
    mmcv = importlib.util.find_spec('mmcv')
    if mmcv is None:
        return None
    # Not importlib.util.find_spec('mmcv._ext'): that would import mmcv.
    extension = importlib.machinery.PathFinder.find_spec(
        'mmcv._ext', mmcv.submodule_search_locations)
    if extension is None:
        return ('needs the compiled operators of the full mmcv, which '
                'mmcv-lite has not; to build them (about ten minutes): '
                f'{_INSTALL_MMCV}')
    try:
        importlib.import_module('mmcv._ext')
    except (ImportError, OSError) as error:
        return ('needs the compiled operators of mmcv, which fail to load '
                f'({type(error).__name__}: {error}); to build them for this '
                'PyTorch (about ten minutes): pip uninstall -y mmcv && '
                f'{_INSTALL_MMCV}')
    return None


# -- torchvision -------------------------------------------------------------


class _Torchvision(_PlaceholderModule):
    """``torchvision`` or a module below it: no name is there.

    A library that tries ``from torchvision.ops import nms`` shall find that
    it has to do without.
    """

    def _find(self, name: str) -> None:
        raise ImportError(f'{self.__name__}.{name} {self._problem}')


def _replace_torchvision() -> None:
    try:
        importlib.import_module('torchvision')
    # What a torchvision built for another PyTorch is known to raise:
    # "operator torchvision::nms does not exist", "undefined symbol",
    # "partially initialized module 'torchvision' has no attribute".
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        _stand_in_for_torchvision(error)


def _stand_in_for_torchvision(error: Exception) -> None:
    missing = getattr(error, 'name', None) == 'torchvision' and isinstance(
        error, ModuleNotFoundError)
    if missing:
        version = '0.0.0+missing'
        problem = ('needs torchvision, which is not installed; to install '
                   f'it: {_INSTALL_TORCHVISION}')
    else:
        version = '0.0.0+broken'
        problem = ('needs torchvision, which fails to import '
                   f'({type(error).__name__}: {error}); to mend it: '
                   f'pip uninstall -y torchvision && {_INSTALL_TORCHVISION}')
        # The parts that did import.
        for name in list(sys.modules):
            if name.startswith('torchvision.'):
                del sys.modules[name]
    _StandIn(
        'torchvision',
        functools.partial(_create_torchvision, version, problem)).install()


def _create_torchvision(version: str, problem: str,
                        name: str) -> types.ModuleType:
    module = _Torchvision(name, problem)
    if name == 'torchvision':
        module.__version__ = version  # MMEngine logs it
    elif name == 'torchvision.transforms':
        module.ToPILImage = _placeholder(f'{name}.ToPILImage', problem)
    else:
        raise ModuleNotFoundError(f'{name} {problem}', name=name)
    return module


# -- pkg_resources -----------------------------------------------------------


class DistributionNotFound(Exception):
    """The distribution is not installed."""


class _Distribution:
    """What :mod:`mmengine.utils.package_utils` asks of a distribution."""

    def __init__(self, distribution: importlib.metadata.Distribution):
        self._distribution = distribution

    @property
    def location(self) -> str:
        return str(self._distribution.locate_file(''))

    def has_metadata(self, name: str) -> bool:
        return self._distribution.read_text(name) is not None

    def get_metadata(self, name: str) -> str:
        return self._distribution.read_text(name)


def _get_distribution(name: str) -> _Distribution:
    try:
        return _Distribution(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        raise DistributionNotFound(
            f'The {name!r} distribution was not found') from None


def _create_pkg_resources(name: str) -> types.ModuleType:
    if name != 'pkg_resources':
        raise ModuleNotFoundError(f'No module named {name!r}', name=name)
    module = types.ModuleType(name)
    module.DistributionNotFound = DistributionNotFound
    module.get_distribution = _get_distribution
    return module


def _replace_pkg_resources() -> None:
    if importlib.util.find_spec('pkg_resources') is None:
        _StandIn('pkg_resources', _create_pkg_resources).install()


# -- numpy >= 2.4 ------------------------------------------------------------


def _mend_drawing() -> None:
    if np.lib.NumpyVersion(np.__version__) >= '2.4.0':
        _AfterImport('mmpose.visualization.opencv_backend_visualizer',
                     _accept_radius_arrays).install()


def _accept_radius_arrays(module: types.ModuleType) -> None:
    visualizer = module.OpencvBackendVisualizer
    draw_circles = visualizer.draw_circles

    @functools.wraps(draw_circles)
    def draw(self, center, radius, *args, **kwargs):
        # It calls int(radius) with arrays of one element.
        if self.backend == 'opencv':
            radius = np.asarray(radius).item()
        return draw_circles(self, center, radius, *args, **kwargs)

    visualizer.draw_circles = draw


# -- bfloat16 ----------------------------------------------------------------


def _mend_to_numpy() -> None:
    _AfterImport('mmpose.utils.tensor_utils', _accept_bfloat16).install()


def _accept_bfloat16(module: types.ModuleType) -> None:
    to_numpy = module.to_numpy
    try:
        to_numpy(torch.zeros(1, dtype=torch.bfloat16))
        return
    except TypeError:  # numpy has no bfloat16
        pass

    # Sequences need no care: the original calls itself, by its name, on each
    # tensor, and the name is this function's from now on.
    @functools.wraps(to_numpy)
    def to_numpy_float(x, *args, **kwargs):
        if isinstance(x, torch.Tensor) and x.dtype == torch.bfloat16:
            x = x.float()
        return to_numpy(x, *args, **kwargs)

    replace_everywhere(to_numpy, to_numpy_float)
