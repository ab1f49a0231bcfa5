"""A function of tensors that ``torch.compile`` makes faster."""

from typing import Any, Callable, Optional, Sequence, Union

import torch
from mmengine.utils import digit_version
from torch import Tensor

from mmpose_raf.errors import ConfigError, describe_error


# torch gives a function up after 8: a federation has more sizes, each of them
# with and without a teacher or a batch of a single sample.
MAX_GRAPHS = 64


class CompiledFunction:
    """A function that is compiled once for each shape of its tensors.

    The first dimension may vary, a client's last batch may be smaller; for
    one of a single sample it is compiled once more. After ``MAX_GRAPHS``
    graphs further shapes are computed without. A copy compiles for itself,
    because what it calls is the copy's.

    Args:
        function (callable): Its first argument is a list of tensors.
        options (bool | dict): Arguments of ``torch.compile``, or True.
        field (str): Field of the config, for messages.

    Raises:
        ConfigError: If the options are wrong, or torch is too old.
    """

    def __init__(self, function: Callable[..., Any],
                 options: Union[bool, dict], field: str):
        if options is not True and not isinstance(options, dict):
            raise ConfigError(field, f'got {options!r}',
                              'use True, False or a dict of arguments')
        version = torch.__version__
        if digit_version(version) < digit_version('2.5'):
            raise ConfigError(field,
                              f'torch {version} cannot compile the model',
                              f'use torch>=2.5, or {field}=False')
        self.function = function
        # Sizes are few and known: no kernels for any size.
        self.options = dict(dynamic=False)
        if options is not True:
            self.options.update(options)
        self._compiled: Optional[Callable[..., Any]] = None
        try:
            self._compile()
        except (TypeError, RuntimeError) as error:
            raise ConfigError(field, describe_error(error),
                              'use True, or arguments of torch.compile'
                              ) from error

    def _compile(self):
        self._compiled = torch.compile(self.function, **self.options)

    def __call__(self, tensors: Sequence[Tensor], *args: Any) -> Any:
        if self._compiled is None:
            self._compile()
        tensors = [tensor.contiguous() for tensor in tensors]
        for tensor in tensors:
            torch._dynamo.maybe_mark_dynamic(tensor, 0)
        config = torch._dynamo.config
        # Its name before torch 2.6.
        limit = 'recompile_limit' if hasattr(
            config, 'recompile_limit') else 'cache_size_limit'
        with config.patch({limit: MAX_GRAPHS}):
            return self._compiled(tensors, *args)

    def __getstate__(self) -> dict:
        return dict(vars(self), _compiled=None)
