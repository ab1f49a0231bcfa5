"""Checks MMPose's own configs: ``python -m tests.fuzz.stock_configs``.

What MMPose ships is right, so a complaint about the signature of one of its
parts is a mistake of ours.
"""

import sys
from pathlib import Path
from typing import Iterator, Tuple

import mmpose
from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.registry import DefaultScope, Registry
from mmpose.registry import (DATASETS, HOOKS, LOOPS, METRICS, MODELS,
                             OPTIMIZERS, TRANSFORMS)

import mmpose_raf  # noqa: F401
from mmpose_raf.building import check_signature
from mmpose_raf.errors import ConfigError

CONFIGS = Path(mmpose.__file__).parent / '.mim/configs'
#: Types of these packages are not there to be checked.
ABSENT = ('mmpretrain.', 'mmcls.')
#: What MMPose refuses as well: its class has no such argument.
WRONG = 'PackPoseInputs has no such argument'
LOOP_ARGUMENTS = ('runner', 'dataloader', 'evaluator')


def parts_of(cfg: Config) -> Iterator[Tuple[Registry, dict, str, tuple]]:
    """Parts of a config: registry, the part, its field, arguments given."""
    for name in ('train', 'val', 'test'):
        loader = cfg.get(f'{name}_dataloader')
        if loader:
            field = f'{name}_dataloader.dataset'
            yield DATASETS, loader.dataset, field, ()
            for index, item in enumerate(loader.dataset.get('pipeline', ())):
                yield TRANSFORMS, item, f'{field}.pipeline[{index}]', ()
        loop = cfg.get(f'{name}_cfg')
        if loop and 'type' in loop:
            yield LOOPS, loop, f'{name}_cfg', LOOP_ARGUMENTS
        metrics = cfg.get(f'{name}_evaluator') or ()
        for item in [metrics] if isinstance(metrics, dict) else metrics:
            yield METRICS, item, f'{name}_evaluator', ()
    for name, hook in (cfg.get('default_hooks') or {}).items():
        yield HOOKS, hook, f'default_hooks.{name}', ()
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        hook = {key: hook[key] for key in hook if key != 'priority'}
        yield HOOKS, hook, f'custom_hooks[{index}]', ()
    if 'optim_wrapper' in cfg:
        yield (OPTIMIZERS, cfg.optim_wrapper.optimizer,
               'optim_wrapper.optimizer', ('params', ))
    yield MODELS, cfg.model, 'model', ()
    for name in ('backbone', 'neck', 'head'):
        if cfg.model.get(name):
            yield MODELS, cfg.model[name], f'model.{name}', ()


def main() -> int:
    """Check them all; return 1 if one of their parts is refused."""
    num_configs = num_unreadable = num_parts = num_refused = 0
    for path in sorted(CONFIGS.rglob('*.py')):
        if '_base_' in path.parts:
            continue
        try:
            cfg = Config.fromfile(path)
        except ConfigParsingError:  # its base is not in MMPose's wheel
            num_unreadable += 1
            continue
        num_configs += 1
        with DefaultScope.overwrite_default_scope('mmpose'):
            for registry, part, field, given in parts_of(cfg):
                if str(part.get('type')).startswith(ABSENT):
                    continue
                num_parts += 1
                try:
                    check_signature(registry, part, field, *given)
                except ConfigError as error:
                    if WRONG in str(error):
                        continue
                    num_refused += 1
                    print(f'{path.relative_to(CONFIGS)}: {error}'[:300])
    print(f'{num_parts} parts of {num_configs} configs of MMPose; '
          f'{num_refused} were refused ({num_unreadable} configs cannot be '
          'read)')
    return int(num_refused > 0)


if __name__ == '__main__':
    sys.exit(main())
