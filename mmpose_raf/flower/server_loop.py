"""Rounds whose clients are elsewhere."""

import uuid
from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence

from flwr.app import MessageType

from mmpose_raf.datasets.distributions import num_shares
from mmpose_raf.datasets.schedule import SynchronousSchedule
from mmpose_raf.engine.federated_hook import FederatedHook
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.host_transfer import to_device
from mmpose_raf.engine.narrow_clients import (build_narrow_models,
                                              connect_submodels)
from mmpose_raf.engine.personal_layers import PersonalLayers
from mmpose_raf.engine.resumed_federation import describe_run
from mmpose_raf.engine.round_log import log_refusal
from mmpose_raf.engine.round_loop import RoundLoop, check_federation
from mmpose_raf.errors import ConfigError, TrainingError
from mmpose_raf.federation import Payload, RoundReport, Server, TrainRequest
from mmpose_raf.federation.state_math import clone_state, copy_state
from mmpose_raf.sizes import Size
from .clients_val_loop import ClientsValLoop
from .nodes import Answer, Nodes
from .records import Expected, Terms, pack_request, unpack_update
from .tensors import MessageError

# In place of a partition's: what the clients hold the server does not know.
FINGERPRINT = 'held by the clients'


@dataclass(frozen=True)
class Patience:
    """How long a server waits, in seconds.

    Args:
        connect (float): For clients to connect.
        answer (float): For a client's answer in a round.
    """

    connect: float
    answer: float


class ServerTrainLoop(RoundLoop):
    """Asks clients over the network where the simulation trains them.

    Everything else, from the aggregation to hooks, checkpoints and the
    validation loop, is the simulation's.

    Args:
        runner (Runner): The server's runner, whose loop is built.
        settings (FederationSettings): The federation.
        nodes (Nodes): Its clients.
        training (str): See :func:`describe_training`.
        patience (Patience): How long it waits for them.

    Attributes:
        taken (dict[str, int]): For each client the number of its last
            training whose update was taken.

    Raises:
        ConfigError: If the federation cannot be deployed.
    """

    def __init__(self, runner, settings: FederationSettings, nodes: Nodes,
                 training: str, patience: Patience):
        check_federation(runner, settings)
        super().__init__(
            runner, settings,
            SynchronousSchedule(settings.participation, seed=settings.seed),
            runner.train_loop.dataloader)
        self.nodes = nodes
        metainfo = self.dataloader.dataset.metainfo
        self._shares = num_shares(settings.build_aggregator().distribution,
                                  settings.clients, metainfo['num_keypoints'])
        self.terms = Terms(uuid.uuid4().hex, training)
        self.patience = patience
        self.taken: Dict[str, int] = {}

    def _begin(self):
        settings = self.settings
        self.personal = PersonalLayers(self.model, settings.local_params,
                                       'cpu')
        aggregator = settings.build_aggregator()
        connect_submodels(
            aggregator, self.model,
            build_narrow_models(self.runner.cfg.model, settings), settings)
        self.server = Server(
            clone_state(self.personal.shared(self.model.state_dict()), 'cpu'),
            aggregator, settings.build_local_objective(), len(self.names),
            settings.keep_updates,
            Payload(settings.payload, self.personal.parameters()),
            self.personal.trained())
        if self.resumed is not None:
            if 'deployment' not in self.resumed:
                raise ConfigError(
                    'resume', 'the checkpoint is of a simulation',
                    'use load_from to go on from its weights')
            self.server.load_state_dict(to_device(self.resumed['server'],
                                                  'cpu'))
            self.terms = Terms(self.resumed['deployment'], self.terms.training)
            self.taken = dict(self.resumed['taken'])
            self.resumed = None
            self._watch.has_trained = True
        self.nodes.wait(self.terms, self.names, self._num_needed,
                        self.patience.connect)

    @property
    def _num_needed(self) -> int:
        return self.server.aggregator.min_clients

    def run_round(self) -> RoundReport:
        """Let the clients train, and renew the global weights.

        Raises:
            TrainingError: If too few clients are connected, or none has
                answered.
        """
        visits = self.schedule.of_round(self.epoch).visits
        asked = [self.names[visit.client] for visit in visits]
        requests = self._request(asked)
        self.runner.logger.info(
            f'Round [{self.epoch + 1}/{self.max_epochs}] asks '
            f'{", ".join(requests) or "nobody"}')
        answers = self.nodes.ask(
            MessageType.TRAIN, {
                name: pack_request(self.terms, request,
                                   self.taken.get(name, -1))
                for name, request in requests.items()
            }, self.patience.answer) if requests else {}
        # In the order of the clients, in which the sums are the simulation's.
        for name in asked:
            if name in requests:
                self._receive(requests[name], answers[name])
            else:
                self._note_absence(name, 'it is not connected')
        report = self.server.report
        if len(report.absent) == len(asked) > 0:
            raise TrainingError(
                f'round {self.epoch + 1}: none of the clients has answered; '
                "mend them, see above, and go on with -c 'resume=true'")
        report = self.server.close_round()
        copy_state(self.server.state, self.model.state_dict())
        return report

    def _request(self, asked: List[str]) -> Dict[str, TrainRequest]:
        if not asked:
            return {}
        present = self.nodes.find(self.terms)
        if sum(name in present for name in asked) < self._num_needed:
            present = self.nodes.wait(self.terms, asked, self._num_needed,
                                      self.patience.connect)
        return {
            name: self.server.request(name, self.epoch)
            for name in asked if name in present
        }

    def _receive(self, request: TrainRequest, answer: Answer):
        name = request.client
        if isinstance(answer, str):
            self.server.in_flight.pop(name)
            self._note_absence(name, answer)
            return
        try:
            refusal = self.server.receive(
                unpack_update(
                    answer, request,
                    Expected(self.personal.parameters(), self._shares)))
        except MessageError as error:
            self.server.in_flight.pop(name)
            refusal = self.server.report.refused[name] = str(error)
        if refusal:
            log_refusal(self.runner, name, refusal)
        else:
            self.taken[name] = request.number

    def _note_absence(self, name: str, reason: str):
        self.server.report.absent[name] = reason
        self.runner.logger.error(f'Client {name} is absent: {reason}')

    def state_dict(self, with_moments: bool) -> dict:
        """What a resume needs; the clients keep what is theirs."""
        return dict(
            identity=self.settings.identity(),
            fingerprint=FINGERPRINT,
            has_moments=False,
            clients={},
            run=describe_run(self.runner.cfg),
            deployment=self.terms.run,
            taken=self.taken,
            server=self.server.state_dict())


class ServerHook(FederatedHook):
    """Hands a runner the loops of a server.

    Args:
        settings (FederationSettings): The federation.
        nodes (Nodes): Its clients.
        training (str): See :func:`describe_training`.
        patience (Patience): How long it waits for them.
        clients_sizes (list[tuple[int, int]], optional): At which sizes the
            clients validate, see :class:`ClientsValLoop`. Defaults to None:
            they do not.
    """

    def __init__(self, settings: FederationSettings, nodes: Nodes,
                 training: str, patience: Patience,
                 clients_sizes: Optional[Sequence[Size]] = None):
        super().__init__()
        self.settings = settings
        self.nodes = nodes
        self.training = training
        self.patience = patience
        self.clients_sizes = clients_sizes

    def before_run(self, runner):
        """Put the loops into the places of the runner's own."""
        runner._train_loop = ServerTrainLoop(runner, self.settings,
                                             self.nodes, self.training,
                                             self.patience)
        if self.clients_sizes is not None:
            runner._val_loop = ClientsValLoop(runner._train_loop,
                                              self.clients_sizes)
