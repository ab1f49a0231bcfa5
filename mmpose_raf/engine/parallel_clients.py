"""Clients that train at the same time, in several processes."""

from dataclasses import astuple, dataclass
from functools import wraps
from typing import (Any, Callable, Dict, List, Optional, Sequence, Set,
                    Tuple)

import torch
from mmengine.dist import (all_gather_object, broadcast,
                           broadcast_object_list, get_rank, get_world_size,
                           is_main_process)
from mmengine.hooks import EMAHook, SyncBuffersHook
from mmengine.utils import apply_to
from torch import nn

from mmpose_raf.datasets.participation import Visit
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import (ClientState, ClientUpdate, FoldedUpdates,
                                   LocalObjective)
from mmpose_raf.federation.state_math import State
from .client_switch import ClientSwitch
from .personal_layers import PersonalLayers
from .round_log import Traffic

FIELD = 'FederatedHook.parallel'


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
        switch (ClientSwitch): Holds optimizer states and schedules.
        personal (PersonalLayers): Holds layers of the clients.
        objective (LocalObjective, optional): The local objective.
    """

    def __init__(self, names: Sequence[str], owners: Sequence[int],
                 switch: ClientSwitch, personal: PersonalLayers,
                 objective: Optional[LocalObjective]):
        self.names = names
        self.owners = owners
        self.switch = switch
        self.personal = personal
        self.objective = objective
        # Clients that have trained since the last checkpoint.
        self._changed: Set[int] = set()

    def exchange(self, visits: Sequence[Visit],
                 updates: Sequence[ClientUpdate]
                 ) -> List[Optional[ClientUpdate]]:
        """Send what the clients of this process have done, take the others'.

        Args:
            visits (list[Visit]): The trainings of the round, once a client.
            updates (list[ClientUpdate]): Those that were made here.

        Returns:
            list[ClientUpdate | None]: The update of each visit; None where
            it was refused.
        """
        self._changed |= {visit.client for visit in visits}
        own = {update.client: update for update in updates}
        exchanged = [
            self._exchange_client(visit.client,
                                  own.get(self.names[visit.client]))
            for visit in visits
        ]
        if self.objective:
            # Sums over them must not depend on who trains where.
            names = [self.names[visit.client] for visit in visits]
            uploads = self.objective.uploads
            self.objective.uploads = {
                name: uploads[name]
                for name in names if name in uploads
            }
        return exchanged

    def _exchange_client(
            self, client: int,
            update: Optional[ClientUpdate]) -> Optional[ClientUpdate]:
        name = self.names[client]
        found = self._share(
            client,
            dict(
                update=update and vars(update),
                upload=self._stored('uploads').get(name)))
        if found is None:
            return update
        if found['upload'] is not None:
            self.objective.uploads[name] = found['upload']
        return found['update'] and ClientUpdate(**found['update'])

    def _share(self, client: int, tree: dict) -> Optional[dict]:
        """Send what the owner of a client has; None in the owner itself."""
        owner = self.owners[client]
        found = share_tree(tree, owner, self.switch.state_device)
        return None if get_rank() == owner else found

    def collecting(self, save: Callable) -> Callable:
        """Let the main process have what the clients keep before it saves.

        Args:
            save (callable): ``Runner.save_checkpoint``, which all processes
                call and the main one obeys.

        Returns:
            callable: The same for all processes to call.
        """

        @wraps(save)
        def collect_and_save(*args, **kwargs):
            for client in sorted(self._changed):
                self._collect(client)
            self._changed = set()
            return save(*args, **kwargs)

        return collect_and_save

    def _collect(self, client: int):
        name = self.names[client]
        found = self._share(
            client,
            dict(
                switch=self.switch.state_of(client),
                personal=self.personal.clients.get(name),
                objective=self._stored('clients').get(name)))
        if found is None or not is_main_process():
            return
        self.switch.clients[client] = ClientState.from_state_dict(
            found['switch'])
        if found['personal'] is not None:
            self.personal.clients[name] = found['personal']
        if found['objective'] is not None:
            self.objective.clients[name] = found['objective']

    def _stored(self, name: str) -> Dict[str, Any]:
        return getattr(self.objective, name) if self.objective else {}

    def fold(self, folded: FoldedUpdates):
        """Let the running means of all processes become one.

        Args:
            folded (FoldedUpdates): That of this process, changed in place.
        """
        own = folded.total, [vars(update) for update in folded.take()]
        for rank in range(get_world_size()):
            total, means = share_tree(own, rank, self.switch.state_device)
            for mean in means:
                folded.add(ClientUpdate(**mean), total)

    def settle(self, state: State):
        """Let all have what the main process has, to the last bit.

        Machines may add in another order, and GPUs do.

        Args:
            state (dict[str, Tensor]): The new global weights, changed in
                place.
        """
        for tensor in state.values():
            broadcast(tensor)

    def add_traffic(self, traffic: Traffic) -> Traffic:
        """What all processes' clients have sent together."""
        return Traffic(*map(sum, zip(*all_gather_object(astuple(traffic)))))


@dataclass
class _TensorSpec:
    """What stands for a tensor while a tree is sent."""

    shape: Tuple[int, ...]
    dtype: torch.dtype


def share_tree(tree: Any, source: int, device: torch.device) -> Any:
    """Send nested containers of tensors and plain values to all processes.

    Args:
        tree: What the sender has; ignored in all others.
        source (int): Rank of the sender.
        device (torch.device): Where the others want the tensors.

    Returns:
        The sender's tree.
    """
    is_sender = get_rank() == source
    tensors: List[torch.Tensor] = []

    def describe(tensor: torch.Tensor) -> _TensorSpec:
        tensors.append(tensor)
        return _TensorSpec(tuple(tensor.shape), tensor.dtype)

    sent = [
        apply_to(tree, lambda value: isinstance(value, torch.Tensor), describe)
        if is_sender else None
    ]
    broadcast_object_list(sent, source)
    if is_sender:
        for tensor in tensors:
            broadcast(tensor, source)
        return tree

    def receive(spec: _TensorSpec) -> torch.Tensor:
        tensor = torch.empty(spec.shape, dtype=spec.dtype, device=device)
        broadcast(tensor, source)
        return tensor

    return apply_to(sent[0], lambda value: isinstance(value, _TensorSpec),
                    receive)
