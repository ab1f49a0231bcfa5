"""A local objective's loss on features, beside the loss of the model."""

from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from torch import Tensor, nn
from torch.func import functional_call

from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import LocalObjective, TrainingStart
from mmpose_raf.federation.state_math import State
from mmpose_raf.models.evaluation_mode import evaluating
from .settings_checks import KEY

FIELD = f'{KEY}.local_objective.feature_module'


class FeatureContrast:
    """Adds a loss on features to what a model returns.

    It is :meth:`LocalObjective.layer_loss` if the objective has
    ``feature_layers``, :meth:`LocalObjective.feature_loss` if not.

    It watches the submodule in each forward pass of a training step. Where
    that is given several levels of a ladder, or called once for each, the
    first counts: the highest level of the batch.

    Args:
        model (nn.Module): The model, not wrapped.
        objective (LocalObjective): With a ``feature_module``.

    Raises:
        ConfigError: If the model has no such submodule or layer.
    """

    def __init__(self, model: nn.Module, objective: LocalObjective):
        self.objective = objective
        self.prefix = f'{objective.feature_module}.'
        self.module = find_module(model, objective.feature_module)
        self.layers = find_layers(self.module, objective.feature_layers)
        self.references: List[State] = []
        # Images and features; of layers their outputs, the first of each.
        self._seen: List[Tuple[Tensor, Any]] = []
        self._outputs: Dict[nn.Module, Tensor] = {}
        self._is_watching = False
        # For good: torch.compile sees the hooks that are there when it
        # compiles, and no later ones. Without references they do nothing.
        model.register_forward_pre_hook(self._begin, with_kwargs=True)
        self.module.register_forward_hook(self._see)
        for layer in self.layers:
            layer.register_forward_hook(self._keep)
        model.register_forward_hook(self._add_loss, with_kwargs=True)

    @contextmanager
    def watching(self, start: TrainingStart) -> Iterator[None]:
        """While open, features are compared with a client's references."""
        self.references = [{
            key[len(self.prefix):]: value
            for key, value in state.items() if key.startswith(self.prefix)
        } for state in self.objective.references(start)]
        try:
            yield
        finally:
            self.references, self._outputs = [], {}

    def _begin(self, model: nn.Module, args: tuple, kwargs: dict):
        call = dict(zip(('inputs', 'data_samples', 'mode'), args), **kwargs)
        self._seen, self._outputs = [], {}
        self._is_watching = bool(self.references) and call.get(
            'mode') == 'loss'
        if self._is_watching:
            self._shape = call['inputs'].shape[:2]

    def _see(self, module: nn.Module, args: tuple, output: Any):
        if self._is_watching and not self._seen:
            images = args[0]
            if not isinstance(images, Tensor):  # several levels at once
                images, output = images[0], output[0]
            # What else a submodule is given depends on weights before it.
            if images.shape[:2] != self._shape:
                raise self._error('is not given the images')
            self._seen.append((images, self._features(output)))

    def _keep(self, layer: nn.Module, args: tuple, output: Any):
        # Also of the references' forward passes, after the training's.
        if self.references:
            self._outputs.setdefault(layer, last_of(output))

    def _features(self, output: Any) -> Any:
        """What is compared, once the submodule has made its output."""
        if not self.layers:
            return pool(output)
        outputs, self._outputs = self._outputs, {}
        if len(outputs) < len(self.layers):
            raise ConfigError(f'{KEY}.local_objective.layers',
                              'some of these layers are not called',
                              'choose others')
        return [outputs[layer] for layer in self.layers]

    def _add_loss(self, model: nn.Module, args: tuple, kwargs: dict,
                  losses: dict):
        if not self._is_watching:
            return None
        if not self._seen:
            raise self._error('is not called in training')
        (images, features), = self._seen
        self._seen, self._is_watching = [], False
        self._outputs = {}  # of lower levels
        with evaluating(self.module):
            others = [
                self._features(
                    functional_call(self.module, state, (images, )))
                for state in self.references
            ]
        name = f'loss_{type(self.objective).__name__.lower()}'
        return dict(losses, **{name: self._compare(features, others)})

    def _compare(self, features: Any, others: List[Any]) -> Tensor:
        if not self.layers:
            return self.objective.feature_loss(features, others)
        # Tokens of several levels in one: those of the first come first.
        own = [
            layer[:, :other.shape[1]] if layer.ndim == 3 else layer
            for layer, other in zip(features, others[0])
        ]
        return self.objective.layer_loss(own, others)

    def _error(self, problem: str) -> ConfigError:
        name = self.objective.feature_module
        return ConfigError(FIELD, f'{name!r} {problem}', "use 'backbone'")


def find_module(model: nn.Module, name: str) -> nn.Module:
    """Find the submodule whose features are compared.

    Raises:
        ConfigError: If there is none, or the model lets go of its features.
    """
    if getattr(model, 'passes', None) == 'in_turn':
        raise ConfigError(
            'model.passes', "'in_turn' has let go of the features that the "
            'local objective compares', "use 'joint'")
    modules = dict(model.named_modules())
    if name not in modules:
        children = ', '.join(child for child, _ in model.named_children())
        raise ConfigError(FIELD, f'the model has no {name!r}',
                          f'it has {children}')
    return modules[name]


def find_layers(module: nn.Module, patterns: Sequence[str]) -> List[nn.Module]:
    """Find the layers of a submodule whose outputs are compared.

    Raises:
        ConfigError: If a pattern fits none.
    """
    layers = dict(module.named_modules())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in layers):
            children = ', '.join(name for name, _ in module.named_children())
            raise ConfigError(f'{KEY}.local_objective.layers',
                              f'{pattern!r} fits no layer',
                              f'in the submodule there are {children}')
    return [
        layer for name, layer in layers.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def last_of(features: Any) -> Tensor:
    """The last of several feature maps, or the only one."""
    return features[-1] if isinstance(features, (list, tuple)) else features


def pool(features: Any) -> Tensor:
    """Average the last feature map (B, C, H, W) over the image: (B, C)."""
    return last_of(features).flatten(2).mean(2)
