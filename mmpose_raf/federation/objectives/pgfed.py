"""PGFed."""

from typing import Dict, Optional, Sequence, Tuple

import torch

from ..arguments import check_decay, check_positive
from ..errors import FederationError
from ..messages import ClientUpdate, TrainRequest, find_misfit
from ..state_math import State, average_states, dot_states, map_states
from .base import LocalObjective, TrainingStart

# What travels beside the weights, and what a client sums up: states by these
# labels and their own names, vectors and numbers.
RISKS, MEAN = 'risks/', 'mean/'
COEFFICIENTS, OFFSETS = 'coefficients', 'offsets'
TOTAL, COUNT, PRODUCT = 'total/', 'count', 'product'


class PGFed(LocalObjective):
    """PGFed, and with ``momentum`` PGFedMo (Luo et al., ICCV 2023, arXiv
    2212.01448): each client's own global objective.

    Client i minimises f_i(w) + mu sum_j a_ij f~_j(w) over the clients j of
    the last round, itself included, whose risks it knows to first order,
    f~_j(w) = f_j(w_j) + <g_j, w - w_j> with g_j the gradient of f_j at w_j.
    So each step's gradient gets mu sum_j a_ij g_j, which the server sums up,
    and a_ij = max(0, a_ij - coefficient_lr mu (f_j(w_j) - <g_j, w_j> + <g,
    w>)) after it, where the mean g of the g_j stands for each, as in the
    paper: otherwise every client would be sent every gradient. a_ij is 1 / M
    at first, with M clients in the round. With momentum beta a client's sum
    is (1 - beta) times the new one plus beta times its last.

    The personal model is what a client's training ends with; the next one
    starts from the mean, as in FedAvg. Two things differ from the paper: its
    clients pass over their samples once more for f_j(w_j) and g_j, ours take
    the mean loss and the mean gradient of their local training; and the
    gradient is what the optimizer gets, clipped if that is.

    A client sends a gradient beside its weights and is sent two; with
    momentum it keeps one. The server keeps one for each client of the last
    round. In the first round there are no risks yet.

    Args:
        mu (float): Weight of the clients' risks, > 0. Defaults to 0.1.
        coefficient_lr (float): Learning rate of the a_ij, > 0. Defaults to
            0.01.
        momentum (float): beta, in [0, 1); 0 is PGFed, else PGFedMo, e.g. with
            0.5. Defaults to 0.
    """

    is_asynchronous = False
    is_observing = True

    def __init__(self,
                 mu: float = 0.1,
                 coefficient_lr: float = 0.01,
                 momentum: float = 0.):
        super().__init__()
        check_positive(mu, 'mu')
        check_positive(coefficient_lr, 'coefficient_lr')
        check_decay(momentum, 'momentum')
        self.mu = mu
        self.coefficient_lr = coefficient_lr
        self.momentum = momentum
        # Of those that took part in the last round: g_j and mu (f_j(w_j) -
        # <g_j, w_j>); of all so far the a_ij.
        self.gradients: Dict[str, State] = {}
        self.offsets: Dict[str, float] = {}
        self.coefficients: Dict[str, Dict[str, float]] = {}

    def observe(self, parameters: State, gradients: State,
                start: TrainingStart):
        """Sum the gradients up and step along that of the a_ij."""
        notes = start.notes
        for name, gradient in gradients.items():
            key = TOTAL + name
            if key in notes:
                notes[key] += gradient
            else:
                notes[key] = gradient.clone()
        notes[COUNT] = notes.get(COUNT, torch.zeros(())) + 1
        if COEFFICIENTS not in start.download:
            return
        mean = _part(start.download, MEAN)
        product = dot_states({name: mean[name]
                              for name in parameters}, parameters)
        coefficients = notes.get(COEFFICIENTS, start.download[COEFFICIENTS])
        slopes = start.download[OFFSETS] + product
        notes[COEFFICIENTS] = (coefficients -
                               self.coefficient_lr * slopes).clamp(min=0)

    def gradient(self, parameters: State, start: TrainingStart) -> State:
        """mu sum_j a_ij g_j, see :class:`LocalObjective`."""
        risks = self._risks(start)
        return {name: risks[name] for name in parameters} if risks else {}

    def _risks(self, start: TrainingStart) -> State:
        """What is added in each step; empty in the first round."""
        new = _part(start.download, RISKS)
        if not (new and self.momentum and start.memory):
            return new
        # The same in all steps of a training.
        if not _part(start.notes, RISKS):
            start.notes.update(
                _labelled(
                    map_states(
                        lambda now, last: now.lerp(last, self.momentum), new,
                        start.memory), RISKS))
        return _part(start.notes, RISKS)

    def finish_client(self, state: State, start: TrainingStart,
                      lr_sums: Dict[str, float]) -> Tuple[State, State]:
        """Next sum, if there is momentum; g_i, <g_i, w_i> and the a_ij."""
        notes, total = start.notes, _part(start.notes, TOTAL)
        mean = {
            name: total[name] / notes[COUNT].item()
            if name in total else torch.zeros_like(state[name])
            for name in lr_sums
        }
        upload = dict(
            _labelled(mean, TOTAL),
            **{PRODUCT: torch.tensor(dot_states(mean, state))})
        if COEFFICIENTS in notes:
            upload[COEFFICIENTS] = notes[COEFFICIENTS]
        memory = self._risks(start) if self.momentum else {}
        return map_states(torch.clone, memory) if memory else {}, upload

    def find_fault(self, update: ClientUpdate, request: TrainRequest,
                   trained: Sequence[str]) -> Optional[str]:
        """Whether loss, g_i, <g_i, w_i> and a_ij are there."""
        like = {
            **_labelled({name: request.state[name] for name in trained},
                        TOTAL),
            PRODUCT: torch.empty(())
        }
        if COEFFICIENTS in request.download:
            like[COEFFICIENTS] = request.download[COEFFICIENTS]
        if 'loss' not in update.metrics:
            return 'it tells no loss'
        misfit = find_misfit(update.upload, like)
        return misfit and f'of its gradient {misfit}'

    def finish_round(self, previous: State, aggregated: State,
                     updates: Sequence[ClientUpdate],
                     num_clients: int) -> State:
        """Keep what the next round is sent."""
        for update in updates:
            if COEFFICIENTS in update.upload:
                self.coefficients = {
                    **self.coefficients, update.client: {
                        **self.coefficients.get(update.client, {}),
                        **dict(
                            zip(self.gradients,
                                update.upload[COEFFICIENTS].tolist()))
                    }
                }
        self.offsets = {
            update.client: self.mu *
            (_loss_of(update) - update.upload[PRODUCT].item())
            for update in updates
        }
        self.gradients = {
            update.client: _part(update.upload, TOTAL)
            for update in updates
        }
        return aggregated

    def download(self, client: str) -> State:
        """Both sums of gradients and both vectors; at first nothing."""
        others = list(self.gradients)
        if not others:
            return {}
        share = 1 / len(others)
        own = self.coefficients.get(client, {})
        coefficients = [own.get(other, share) for other in others]
        states = list(self.gradients.values())
        return {
            **_labelled(
                average_states(states, [self.mu * a for a in coefficients]),
                RISKS),
            **_labelled(
                average_states(states, [self.mu * share] * len(others)), MEAN),
            COEFFICIENTS: torch.tensor(coefficients, dtype=torch.float64),
            OFFSETS: torch.tensor(
                list(self.offsets.values()), dtype=torch.float64)
        }

    def state_dict(self) -> dict:
        """What the next round is sent."""
        return dict(
            gradients=self.gradients,
            offsets=self.offsets,
            coefficients=self.coefficients)

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.gradients = state_dict['gradients']
        self.offsets = state_dict['offsets']
        self.coefficients = state_dict['coefficients']


def _part(state: State, label: str) -> State:
    return {
        key[len(label):]: value
        for key, value in state.items() if key.startswith(label)
    }


def _labelled(state: State, label: str) -> State:
    return {label + key: value for key, value in state.items()}


def _loss_of(update: ClientUpdate) -> float:
    loss = update.metrics.get('loss')
    if loss is None:
        raise FederationError("PGFed needs the metrics['loss'] of client "
                              f'{update.client}')
    return loss
