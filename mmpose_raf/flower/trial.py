"""A federation of processes on this machine, for trials and tests.

It is set up as it would be on many machines, with TLS and a key for each
client, and does not survive this process's end.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from mmpose_raf.errors import ConfigError

#: No telemetry, no look for updates, no installation at run time.
QUIET = dict(
    FLWR_TELEMETRY_ENABLED='0',
    FLWR_DISABLE_UPDATE_CHECK='1',
    FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION='1',
    RAY_USAGE_STATS_ENABLED='0')
ROOT = Path(__file__).parents[2]
APP = ROOT / 'flower_app'
KEYS_SCRIPT = ROOT / 'tools' / 'make_trial_keys.sh'
HOST = '127.0.0.1'
_CONNECTION = 'trial'
_MARK = 'MMPOSE_RAF_TRIAL'
# Seconds for one of Flower's commands, also on a machine with much else to do.
_PATIENCE = 600


class Trial:
    """A SuperLink and its SuperNodes, stopped when the context is left.

    Args:
        folder (Path): Where keys, logs and the SuperLink's database go.
        config (Path): The config of server and clients.
        names (list[str]): Names of the clients.
        data (dict[str, str]): For some of them the file about their data,
            see :class:`LocalClient`. Defaults to none.

    Attributes:
        processes (dict[str, Popen]): The processes by their names: ``link``
            and the clients.
    """

    def __init__(self,
                 folder: Path,
                 config: Path,
                 names: Sequence[str],
                 data: Optional[Dict[str, str]] = None):
        self.folder = Path(folder).resolve()
        self.config = Path(config).resolve()
        self.names = list(names)
        self.data = data or {}
        self.processes: Dict[str, subprocess.Popen] = {}
        self.address = f'{HOST}:{_free_port()}'
        self._mark = uuid.uuid4().hex
        self._environment = dict(
            os.environ,
            **QUIET,
            FLWR_HOME=str(self.folder / 'flwr'),
            # Flower starts further processes by their names.
            PATH=os.pathsep.join(
                [str(Path(sys.executable).parent), os.environ['PATH']]),
            **{_MARK: self._mark})

    @property
    def keys(self) -> Path:
        """Path: Folder of the keys and certificates."""
        return self.folder / 'keys'

    def __enter__(self) -> 'Trial':
        try:
            self._set_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception):
        self.stop()

    def _set_up(self):
        (self.folder / 'flwr').mkdir(parents=True, exist_ok=True)
        self.make_key(*self.names)
        (self.folder / 'flwr' / 'config.toml').write_text(
            f'[superlink]\ndefault = "{_CONNECTION}"\n\n'
            f'[superlink.{_CONNECTION}]\naddress = "{self.address}"\n'
            f'root-certificates = "{self.keys / "ca.crt"}"\n')
        self.start_link()
        for name in self.names:
            self.register(name)
            self.start_node(name)

    def make_key(self, *names: str):
        """Make an authentication key for each name; nobody knows it yet."""
        self._call([str(KEYS_SCRIPT), str(self.keys), HOST, *names])

    def register(self, name: str):
        """Let the SuperLink know the key of that name."""
        self._call([
            'flwr', 'supernode', 'register',
            str(self.keys / f'client_{name}.pub'), _CONNECTION
        ])

    def start_link(self):
        """Start the SuperLink and wait until it answers."""
        self._start('link', [
            'flower-superlink', '--ssl-ca-certfile',
            str(self.keys / 'ca.crt'), '--ssl-certfile',
            str(self.keys / 'server.crt'), '--ssl-keyfile',
            str(self.keys / 'server.key'), '--enable-supernode-auth', '--host',
            HOST, '--port',
            self.address.split(':')[1], '--database',
            str(self.folder / 'superlink.db')
        ])
        self._wait_for_link()

    def start_node(self, name: str, key: str = '', **node_config: str):
        """Start a client's SuperNode.

        Args:
            name (str): Name of the client.
            key (str): Whose key it has. Defaults to its own.
            **node_config: What differs from the usual node config.
        """
        values = dict(
            client=name,
            config=str(self.config),
            folder=str(self.folder / f'client_{name}'))
        if name in self.data:
            values['data'] = str(Path(self.data[name]).resolve())
        values.update(node_config)
        self._start(name, [
            'flower-supernode', '--root-certificates',
            str(self.keys / 'ca.crt'), '--superlink', self.address, '--port',
            str(_free_port()), '--auth-supernode-private-key',
            str(self.keys / f'client_{key or name}'), '--node-config',
            ' '.join(f'{key}="{value}"' for key, value in values.items())
        ])

    def submit(self, **run_config) -> str:
        """Start a run; return its number.

        Args:
            **run_config: See :class:`Deployment`; ``config`` and
                ``work_dir`` are there.
        """
        values = dict(
            config=str(self.config),
            work_dir=str(self.folder / 'server'),
            **run_config)
        answer = self._call([
            'flwr', 'run',
            str(APP), _CONNECTION, '--format', 'json', '-c', ' '.join(
                f'{key.replace("_", "-")}={json.dumps(value)}'
                for key, value in values.items())
        ])
        return json.loads(answer)['run-id']

    def status(self, run: str) -> Dict[str, object]:
        """What Flower says about a run, ``status`` above all."""
        answer = self._call([
            'flwr', 'list', _CONNECTION, '--run-id', run, '--format', 'json'
        ])
        return json.loads(answer)['runs'][0]

    def log(self) -> str:
        """The log of the server's newest run; empty if there is none."""
        logs = sorted((self.folder / 'server').glob('2*/*.log'))
        return logs[-1].read_text() if logs else ''

    def kill(self, name: str):
        """End a process and those it has started, as a crash does."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str):
        """Let a process end by itself; a client takes its leave."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(_PATIENCE)

    def stop(self):
        """Stop all that was started, and wait until it is gone."""
        for process in self.processes.values():
            process.terminate()
        deadline = time.monotonic() + 10
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
        # A killed process takes a moment, and may have started another.
        while survivors := self.survivors():
            for pid in survivors:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()

    def survivors(self) -> List[int]:
        """Numbers of the processes of this trial that are running."""
        mark = f'{_MARK}={self._mark}'.encode()
        found = []
        for folder in Path('/proc').glob('[0-9]*'):
            # A process may end meanwhile, or be somebody else's.
            with suppress(OSError):
                if mark in (folder / 'environ').read_bytes().split(b'\0'):
                    found.append(int(folder.name))
        return found

    def _start(self, name: str, command: List[str]):
        with open(self.folder / f'{name}.log', 'ab') as log:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is ours: they are stopped in order.
                start_new_session=True)

    def _call(self, command: List[str]) -> str:
        name = ' '.join([Path(command[0]).name, *command[1:3]])
        see = f'see the logs in {self.folder}'
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise ConfigError(name, f'it took more than {_PATIENCE} s',
                              see) from None
        if done.returncode:
            raise ConfigError(
                name, ' '.join((done.stderr or done.stdout).split())[-500:],
                see)
        return done.stdout

    def _wait_for_link(self, seconds: float = _PATIENCE):
        host, port = self.address.split(':')
        end = time.monotonic() + seconds
        while True:
            with suppress(OSError), socket.create_connection(
                (host, int(port)), 1):
                return
            if time.monotonic() > end or self.processes[
                    'link'].poll() is not None:
                raise ConfigError('flower-superlink', 'it does not answer',
                                  f'see {self.folder / "link.log"}')
            time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        return found.getsockname()[1]
