"""What a server is told by ``flwr run``."""

from dataclasses import dataclass, fields
from typing import Dict

from mmpose_raf.errors import ConfigError, check_choice

EVALUATIONS = ('server', 'clients', 'none')


@dataclass(frozen=True)
class Deployment:
    """A run over the network, as ``[tool.flwr.app.config]`` has it.

    Args:
        config (str): Path of the config, on the server.
        work_dir (str): Where checkpoints and logs go. Defaults to '': that
            of the config.
        resume (bool): Whether it goes on from the last checkpoint in
            there. Defaults to False.
        evaluate (str): Who evaluates: the ``'server'``, by the validation
            loop of the config on its own data; the ``'clients'``, each on
            its own, of which the mean by samples is logged; or ``'none'``.
            Defaults to ``'server'``.
        wait (float): Seconds that the clients have to connect. Defaults to
            600.
        timeout (float): Seconds that a client has to answer in a round; the
            round goes on without it. Defaults to 3600.
    """

    config: str
    work_dir: str = ''
    resume: bool = False
    evaluate: str = 'server'
    wait: float = 600.
    timeout: float = 3600.

    @classmethod
    def of_run(cls, run_config: Dict[str, object]) -> 'Deployment':
        """Read the values of ``flwr run -c``, with ``-`` for ``_``.

        Raises:
            ConfigError: If one is unknown or not what it may be.
        """
        values = {key.replace('-', '_'): value
                  for key, value in run_config.items()}
        known = {field.name: field.type for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ConfigError(f'run config: {name}', 'unknown key',
                                  f'its keys are {", ".join(known)}')
            wanted = (int, float) if known[name] is float else known[name]
            if not isinstance(value, wanted) or (isinstance(value, bool) and
                                                 known[name] is not bool):
                raise ConfigError(f'run config: {name}', f'got {value!r}',
                                  f'use a {known[name].__name__}')
        if not values.get('config'):
            raise ConfigError('run config: config', 'it is missing',
                              "give the path of a config on the server: -c "
                              "'config=\"...\"'")
        deployment = cls(**values)
        check_choice(deployment.evaluate, EVALUATIONS, 'run config: evaluate')
        for name in ('wait', 'timeout'):
            if not getattr(deployment, name) > 0:
                raise ConfigError(f'run config: {name}',
                                  f'got {getattr(deployment, name)}',
                                  'use a number of seconds above 0')
        return deployment
