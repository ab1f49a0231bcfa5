"""Weights that do not fit the model they are loaded into.

MMEngine loads what fits and warns of the rest. A model that got nothing, or
half of its weights, trains and is tested all the same.
"""

import contextlib
import contextvars
import functools
import logging
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

from mmengine.logging import print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor, nn

from mmpose_raf.errors import ConfigError
from mmpose_raf_compat.replacing import replace_everywhere
from .reading import is_listed

ACCEPT_VARIABLE = 'MMPOSE_RAF_ACCEPT_PARTIAL'

#: Share of a model's weights that ``load_from`` has to give.
FINE_TUNING_SHARE = .5


def install() -> None:
    """Make MMEngine refuse checkpoints that do not fit.

    - A run that is resumed, tested or validated needs all weights, and none
      that are not in the model.
    - ``load_from`` of a new training needs half of the model's weights.
    - Anything else, such as ``init_cfg``, needs one.

    The environment variable ``MMPOSE_RAF_ACCEPT_PARTIAL`` lists the paths of
    files (several are separated as in ``PATH``) of which one weight is
    enough. What was not loaded is told in a warning.
    """
    replace_everywhere(mmengine_checkpoint.load_state_dict, load_state_dict)
    _load_to_model = mmengine_checkpoint._load_checkpoint_to_model
    load_runner = Runner.load_checkpoint
    load_model = mmengine_checkpoint.load_checkpoint

    @functools.wraps(_load_to_model)
    def load_to_model(model, checkpoint, *args, **kwargs):
        weights_of(checkpoint, _demand.get().filename)
        return _load_to_model(model, checkpoint, *args, **kwargs)

    @functools.wraps(load_model)
    def load_checkpoint(model, filename, *args, **kwargs):
        with _demanding(filename, None):
            return load_model(model, filename, *args, **kwargs)

    @functools.wraps(load_runner)
    def load_into_runner(self, filename, *args, **kwargs):
        # Runner.train() has built its loop before it loads.
        trains = isinstance(self._train_loop, BaseLoop)
        share = FINE_TUNING_SHARE if trains and not self._resume else 1.
        with _demanding(filename, share):
            return load_runner(self, filename, *args, **kwargs)

    replace_everywhere(_load_to_model, load_to_model)
    replace_everywhere(load_model, load_checkpoint)
    Runner.load_checkpoint = load_into_runner


class _Demand(NamedTuple):
    """What a checkpoint has to give.

    Args:
        filename (str): Its path, for messages.
        share (float, optional): Of the model's weights; with 1 it must hold
            no others, too. Defaults to None: one weight.
    """

    filename: str = 'checkpoint'
    share: Optional[float] = None


_demand: contextvars.ContextVar = contextvars.ContextVar(
    'demand', default=_Demand())


@contextlib.contextmanager
def _demanding(filename: str, share: Optional[float]) -> Iterator[None]:
    if is_listed(filename, ACCEPT_VARIABLE):
        share = None
    token = _demand.set(_Demand(filename, share))
    try:
        yield
    finally:
        _demand.reset(token)


def weights_of(checkpoint: Dict[str, Any], path: str) -> Dict[str, Any]:
    """The weights that a checkpoint holds, by their names.

    Args:
        checkpoint (dict): As MMEngine writes it, or nothing but weights.
        path (str): Of its file, for messages.

    Raises:
        ConfigError: If there are none.
    """
    weights = checkpoint.get('state_dict', checkpoint)
    is_named = isinstance(weights, dict) and all(
        isinstance(name, str) for name in weights)
    if not is_named or not any(
            isinstance(value, Tensor) for value in weights.values()):
        raise ConfigError(path, 'holds no weights',
                          'give a checkpoint of a model')
    return weights


class Fit(NamedTuple):
    """What came of loading weights into a model.

    Args:
        missing (list[str]): Names of the model that the weights lack.
        unexpected (list[str]): Names of the weights that the model lacks.
        misshapen (list[str]): Names of both, of different shapes.
        share (float): Part of the model's weights that were loaded, counted
            in numbers.
    """

    missing: List[str]
    unexpected: List[str]
    misshapen: List[str]
    share: float

    @property
    def is_whole(self) -> bool:
        """bool: Whether all weights were loaded."""
        return not (self.missing or self.unexpected or self.misshapen)

    def describe(self) -> str:
        """Tell in one line what was not loaded, the first of each by name."""
        return '; '.join(
            f'{len(names)} weights {what}, e.g. {names[0]}'
            for names, what in (
                (self.misshapen, 'have another shape'),
                (self.missing, 'are missing'),
                (self.unexpected, 'are not in the model')) if names)


def _is_counter(name: str) -> bool:
    return name.endswith('num_batches_tracked')


def load_fitting(model: nn.Module, weights: Dict[str, Tensor]) -> Fit:
    """Load the weights that fit a model.

    Args:
        model (nn.Module): The model, changed in place.
        weights (dict[str, Tensor]): Weights and buffers by name.

    Returns:
        Fit: What was loaded, and what not. The counters of BatchNorm's
        batches are not missed.
    """
    keys = None

    def note(module, incompatible):
        nonlocal keys
        keys = incompatible

    handle = model.register_load_state_dict_post_hook(note)
    misshapen: List[str] = []
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # after all others were loaded
        misshapen = re.findall(
            r'(?:size mismatch for|parameter named) "?([\w.]+)', str(error))
        if keys is None or not misshapen:
            raise
    finally:
        handle.remove()
    sizes = {
        name: value.numel()
        for name, value in model.state_dict().items()
        if isinstance(value, Tensor) and not _is_counter(name)
    }
    missing = [name for name in keys.missing_keys if not _is_counter(name)]
    lost = sum(sizes.get(name, 0) for name in {*missing, *misshapen})
    return Fit(missing, keys.unexpected_keys, misshapen,
               1 - lost / max(1, sum(sizes.values())))


def load_state_dict(module: nn.Module,
                    state_dict: Dict[str, Tensor],
                    strict: bool = False,
                    logger=None) -> None:
    """Load what fits and refuse what does not fit well enough.

    In the place of MMEngine's function of this name.

    Args:
        module (nn.Module): The model, or a wrapper of it.
        state_dict (dict[str, Tensor]): Weights and buffers by name.
        strict (bool): Whether all have to fit. Defaults to False: as much as
            :func:`install` says.
        logger (Logger | str, optional): Where warnings go. Defaults to None.

    Raises:
        ConfigError: If they do not fit.
    """
    while is_model_wrapper(module) or isinstance(module, BaseTTAModel):
        module = module.module
    filename, share = _demand.get()
    if strict:
        share = 1.
    fit = load_fitting(module, state_dict)
    if fit.is_whole:
        return
    if share == 1.:
        is_enough = False
    else:
        is_enough = fit.share > 0 and fit.share >= (share or 0)
    problem = f'{fit.share:.0%} of the model fits; {fit.describe()}'
    if not is_enough:
        raise ConfigError(
            filename, problem, 'give a checkpoint of this model' +
            (f', or set {ACCEPT_VARIABLE}={filename} to take what fits'
             if fit.share > 0 and not strict else ''))
    print_log(
        f'{filename}: {problem}', logger=logger, level=logging.WARNING)
