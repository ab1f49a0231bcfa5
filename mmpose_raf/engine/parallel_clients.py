"""Clients that train at the same time, in several processes."""

from functools import wraps
from typing import Callable, List, Optional, Sequence, Set

from mmengine.dist import (all_gather_object, broadcast, get_rank,
                           get_world_size, is_main_process)
from mmengine.hooks import EMAHook, SyncBuffersHook
from torch import nn

from mmpose_raf.datasets.schedule import Visit
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import ClientState, ClientUpdate, Server
from mmpose_raf.federation.state_math import State
from .host_transfer import HostTransfer
from .share_tree import share_tree

FIELD = 'federation.execution.parallel'


def assign_clients(costs: Sequence[float], num_processes: int) -> List[int]:
    """Share clients out so that processes are done at about the same time.

    The dearest first, each to the process that has least to do (Graham, SIAM
    J. Appl. Math. 1969: at most 4/3 of the best possible time).

    Args:
        costs (list[float]): Cost of each client's local training.
        num_processes (int): Number of processes.

    Returns:
        list[int]: Rank of the process of each client.
    """
    loads = [0.] * num_processes
    owners = [0] * len(costs)
    for client in sorted(range(len(costs)), key=lambda i: -costs[i]):
        owners[client] = min(range(num_processes), key=lambda i: loads[i])
        loads[owners[client]] += costs[client]
    return owners


def check_parallel_runner(runner, model: nn.Module, num_clients: int):
    """Refuse what several processes cannot do while each trains a client.

    Args:
        runner (Runner): The runner.
        model (nn.Module): Its model, not wrapped.
        num_clients (int): Clients of the federation.

    Raises:
        ConfigError: If there is something that waits for the others in each
            iteration, or an average over the iterates of all clients.
    """
    if get_world_size() > num_clients:
        raise ConfigError(
            FIELD, f'{get_world_size()} processes for {num_clients} clients',
            "start as many as there are clients, or use 'batches'")
    if not isinstance(runner.model, nn.parallel.DistributedDataParallel):
        raise ConfigError(
            FIELD, f'the model is wrapped in {type(runner.model).__name__}',
            "use MMDistributedDataParallel, or 'batches'")
    if (runner.cfg.get('auto_scale_lr') or {}).get('enable'):
        raise ConfigError(
            'auto_scale_lr', 'it takes a batch to be shared by the processes',
            f"leave it out, or use 'batches' in {FIELD}")
    if runner.cfg.get('sync_bn') or any(
            isinstance(module, nn.SyncBatchNorm)
            for module in model.modules()):
        raise ConfigError('sync_bn',
                          'SyncBatchNorm waits for the other processes',
                          f"leave it out, or use 'batches' in {FIELD}")
    if any(isinstance(hook, EMAHook) for hook in runner.hooks):
        raise ConfigError('custom_hooks.EMAHook',
                          'it averages over what all clients do in turn',
                          f"leave it out, or use 'batches' in {FIELD}")


def stop_waiting(runner, model: nn.Module):
    """Take away what would wait for the other processes.

    The model's wrapper waits in each iteration. ``SyncBuffersHook`` averages
    what is the same everywhere, and would round it.

    Args:
        runner (Runner): The runner.
        model (nn.Module): Its model, not wrapped.
    """
    runner.model = model
    for hook in runner.hooks:
        if isinstance(hook, SyncBuffersHook):
            hook.distributed = False


class ParallelClients:
    """Brings together what the clients of different processes have done.

    Every process holds the global weights and renews them by itself, from
    the same updates in the same order; those of the main process count. What
    stays with a client stays in its process, until the main one writes a
    checkpoint.

    Args:
        names (list[str]): Names of the clients.
        owners (list[int]): Rank of the process of each client.
        transfer (HostTransfer): Knows where states wait.
    """

    def __init__(self, names: Sequence[str], owners: Sequence[int],
                 transfer: HostTransfer):
        self.names = names
        self.owners = owners
        self.transfer = transfer
        # Clients that have trained since the last checkpoint.
        self._changed: Set[int] = set()

    def bring_together(self, server: Server, visits: Sequence[Visit]):
        """Let the server know what the clients of all processes have done.

        Args:
            server (Server): That of this process, which has received the
                updates of its own clients.
            visits (list[Visit]): The trainings of the round, once a client.
        """
        self._changed |= {visit.client for visit in visits}
        report = server.report
        own = {update.client: update for update in report.updates}
        updates, refused = [], {}
        for visit in visits:
            name = self.names[visit.client]
            update, refusal = self._exchange(
                visit.client, own.get(name), report.refused.get(name))
            if refusal:
                refused[name] = refusal
            elif update:
                updates.append(update)
        report.updates, report.refused = updates, refused
        report.traffic.up = sum(all_gather_object(report.traffic.up))
        if server.is_folding:
            self._fold(server)

    def _exchange(self, client: int, update: Optional[ClientUpdate],
                  refusal: Optional[str]):
        """What the owner of a client has of it."""
        found = self._share(client, [update and vars(update), refusal])
        if found is None:
            return update, refusal
        sent, refusal = found
        return sent and ClientUpdate(**sent), refusal

    def _share(self, client: int, tree: list) -> Optional[list]:
        """Send what the owner of a client has; None in the owner itself."""
        owner = self.owners[client]
        found = share_tree(tree, owner, self.transfer.waiting)
        return None if get_rank() == owner else found

    def _fold(self, server: Server):
        """Let the running means of all processes become one."""
        folded = server.folded
        own = folded.total, [vars(update) for update in folded.take()]
        for rank in range(get_world_size()):
            total, means = share_tree(own, rank, self.transfer.waiting)
            for mean in means:
                folded.add(ClientUpdate(**mean), total)

    @staticmethod
    def settle(state: State):
        """Let all have what the main process has, to the last bit.

        Machines may add in another order, and GPUs do.

        Args:
            state (dict[str, Tensor]): The new global weights, changed in
                place.
        """
        for tensor in state.values():
            broadcast(tensor)

    def collecting(self, save: Callable,
                   states: List[ClientState]) -> Callable:
        """Let the main process have what the clients keep before it saves.

        Args:
            save (callable): ``Runner.save_checkpoint``, which all processes
                call and the main one obeys.
            states (list[ClientState]): What the clients keep, filled in
                place.

        Returns:
            callable: The same for all processes to call.
        """

        @wraps(save)
        def collect_and_save(*args, **kwargs):
            self.transfer.finish()
            for client in sorted(self._changed):
                found = self._share(client, [states[client].state_dict()])
                if found is not None and is_main_process():
                    states[client] = ClientState.from_state_dict(found[0])
            self._changed = set()
            return save(*args, **kwargs)

        return collect_and_save
