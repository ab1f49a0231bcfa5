"""A client's own model as a checkpoint of its own."""

from pathlib import Path
from typing import List

from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint

from mmpose_raf.errors import ConfigError, describe_error
from .narrow_export import NarrowExport
from .personal_layers import narrow_names, own_layers
from .settings_checks import KEY


def export_client(checkpoint: Path, client: str, out: Path) -> List[Path]:
    """Write the model of one client of a federation.

    The result is a checkpoint like any other of MMPose: the global weights
    (averaged over time, if the run has an ``EMAHook``) with the client's
    layers, as it left them, in their places. Of a client that holds a part
    of the model it is that part, beside its config.

    Args:
        checkpoint (Path): A checkpoint of a run with ``local_params`` or
            narrower clients; of the latter, in its work dir.
        client (str): Name of the client.
        out (Path): Where to write; nothing must be there.

    Returns:
        list[Path]: What was written.

    Raises:
        ConfigError: If the checkpoint has no such client, or the file cannot
            be written.
    """
    if not checkpoint.is_file():
        raise ConfigError('checkpoint', f'no such file: {checkpoint}',
                          'give its path')
    if out.exists():
        raise ConfigError('--out', f'{out} is there already',
                          'choose another path')
    saved = CheckpointLoader.load_checkpoint(
        str(checkpoint), map_location='cpu')
    if not isinstance(saved, dict) or 'state_dict' not in saved:
        raise ConfigError('checkpoint', f'{checkpoint} holds no model',
                          'give a checkpoint of a federated run')
    federation = saved.get(KEY, {})
    narrow = narrow_names(federation)
    personal = own_layers(federation) if federation else {}
    known = [
        name for name in federation.get('clients', {})
        if name in narrow or name in personal
    ]
    if not known:
        raise ConfigError('checkpoint',
                          f'in {checkpoint} no client has layers of its own',
                          'train with federation.local_params')
    if client not in known:
        raise ConfigError('client', f'no client {client!r} has trained',
                          f'use one of {", ".join(known)}')
    state, own = saved['state_dict'], personal.get(client, {})
    config = None
    if client in narrow:
        if out.with_suffix('.py').exists():
            raise ConfigError('--out', f'{out.with_suffix(".py")} is there '
                              'already', 'choose another path')
        export = NarrowExport(checkpoint.parent, federation, client)
        state, config = export.state(state), export.config
    meta = dict(saved.get('meta', {}), client=client)
    written = [out]
    try:
        save_checkpoint(dict(meta=meta, state_dict={**state, **own}), str(out))
        if config is not None:
            written.append(out.with_suffix('.py'))
            config.dump(str(written[-1]))
    except (OSError, RuntimeError) as error:
        raise ConfigError('--out', describe_error(error),
                          'choose another path') from None
    return written
