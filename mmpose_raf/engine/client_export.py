"""A client's own model as a checkpoint of its own."""

from pathlib import Path

from mmengine.runner.checkpoint import CheckpointLoader, save_checkpoint

from mmpose_raf.errors import ConfigError, describe_error
from .settings_checks import KEY


def export_client(checkpoint: Path, client: str, out: Path):
    """Write the model of one client of a federation with personal layers.

    The result is a checkpoint like any other of MMPose: the global weights
    (averaged over time, if the run has an ``EMAHook``) with the client's
    layers, as it left them, in their places.

    Args:
        checkpoint (Path): A checkpoint of a run with ``local_params``.
        client (str): Name of the client.
        out (Path): Where to write; nothing must be there.

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
    clients = saved.get(KEY, {}).get('clients', {})
    personal = {
        name: state['personal']
        for name, state in clients.items() if state['personal']
    }
    if not personal:
        raise ConfigError('checkpoint',
                          f'in {checkpoint} no client has layers of its own',
                          'train with federation.local_params')
    if client not in personal:
        raise ConfigError('client', f'no client {client!r} has trained',
                          f'use one of {", ".join(personal)}')
    state = dict(saved['state_dict'], **personal[client])
    meta = dict(saved.get('meta', {}), client=client)
    try:
        save_checkpoint(dict(meta=meta, state_dict=state), str(out))
    except (OSError, RuntimeError) as error:
        raise ConfigError('--out', describe_error(error),
                          'choose another path') from None
