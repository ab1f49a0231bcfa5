"""``mmcv.ops`` without the full mmcv: placeholders for its operators."""

from .finders import Fallback
from .placeholders import PlaceholderModule, placeholder

_INSTALL = ('pip install "setuptools<81" && '
            'pip install mmcv==2.1.0 --no-build-isolation')


def close() -> None:
    """Let placeholders serve where the compiled operators do not load."""
    Fallback('mmcv.ops', _create).install()


class _Operators(PlaceholderModule):
    """``mmcv.ops`` or a module below it: every name is a placeholder."""

    def _find(self, name: str) -> type:
        # mmcv.utils.collect_env calls these two unless importing them says
        # that there is no such module, which is what mmcv-lite says.
        if name in ('get_compiler_version', 'get_compiling_cuda_version'):
            raise ModuleNotFoundError(
                f'{self.__name__}.{name} {self._problem}')
        value = placeholder(f'{self.__name__}.{name}', self._problem)
        setattr(self, name, value)
        return value

    def __call__(self, *args, **kwargs):
        # mmcv.ops.nms is both a function and a module, and which one the name
        # gives depends on what was imported last.
        raise ImportError(f'{self.__name__} {self._problem}')


def _create(name: str, failure: Exception) -> _Operators:
    if isinstance(failure, ModuleNotFoundError):
        return _Operators(
            name, 'needs the compiled operators of the full mmcv, which '
            'mmcv-lite has not; to build them (about ten minutes): '
            f'{_INSTALL}')
    return _Operators(
        name, 'needs the compiled operators of mmcv, which fail to load '
        f'({type(failure).__name__}: {failure}); to build them for this '
        'PyTorch (about ten minutes): pip uninstall -y mmcv && '
        f'{_INSTALL}')
