"""Sub-models by convolutions over the weights."""

from typing import Callable, Dict, List, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from ..arguments import check_count, check_not_negative, check_positive
from ..errors import FederationError
from ..messages import ClientUpdate
from ..state_math import State
from ..submodels import Submodel, held_channels
from ..weight_convolution import WeightConvolution
from .proxy_guided import ProxyGuided

Kernels = Dict[str, Tensor]


class FedConv(ProxyGuided):
    """FedConv (Shen et al., MobiSys 2024, arXiv 2502.20639).

    The server makes a weak client's model by convolutions over the global
    weights, tuned on its proxy samples, and the client trains that model
    directly. What comes back is enlarged by transposed convolutions of its
    own, and the enlarged models are averaged, w = sum_k p_k w_k, with p =
    softmax(x). In every round Adam tunes x and the transposed kernels on

        L(w) + kl KL(softmax(h(w_t)) || softmax(h(w)))

    with the proxy loss L and the heatmaps h of the proxy samples, softmax
    over the pixels; then the kernels of the convolutions, on the proxy loss
    of the part. Kernels begin as :class:`WeightConvolution` says. The
    transposed ones begin anew in every round, the others go on.

    Built from a description of the paper, not from its text: one kernel for
    a tensor, its first values, the softmax of heatmaps, and that the first
    part is made without tuning are choices of ours. The paper treats CNNs.

    Args:
        proxy_samples (int): Training samples that the server keeps, >= 1.
        steps (int): Steps of Adam for each of the two, >= 0, all proxy
            samples in each. Defaults to 20, the paper's most epochs.
        server_lr (float): Learning rate of Adam, > 0. Defaults to 0.01.
        kl (float): Weight of the KL term, >= 0. Defaults to 1.

    Attributes:
        submodels (dict[str, Submodel]): See :class:`SubmodelAverage`. Clients
            of one object have one part.
        part_losses (dict[str, callable]): By name of a narrow client the
            proxy loss of its model's weights. Set by who calls, as is
            ``proxy_loss``, which has the method ``heatmaps``.
        kernels (dict[str, dict[str, Tensor]]): Of each part, by the name of
            the first client that has it, the kernel of each entry.
    """

    takes_submodels = True
    is_moving = True

    def __init__(self,
                 proxy_samples: int,
                 steps: int = 20,
                 server_lr: float = 0.01,
                 kl: float = 1.):
        super().__init__(proxy_samples)
        check_count(steps, 'steps', 0)
        check_positive(server_lr, 'server_lr')
        check_not_negative(kl, 'kl')
        self.steps = steps
        self.server_lr = server_lr
        self.kl = kl
        self.submodels: Dict[str, Submodel] = {}
        self.part_losses: Dict[str, Callable[[State], Tensor]] = {}
        self.kernels: Dict[str, Kernels] = {}

    def part_of(self, state: State, client: str, version: int) -> State:
        """What a client is sent, see :class:`Aggregator`."""
        submodel = self.submodels.get(client)
        if submodel is None:
            return state
        owner = self._owner_of(submodel)
        kernels = self.kernels.get(owner) or _first_kernels(submodel, False)
        with torch.no_grad():
            return self._narrow(submodel, state, kernels)

    def _owner_of(self, submodel: Submodel) -> str:
        """The first client that has a part."""
        return next(name for name, other in self.submodels.items()
                    if other is submodel)

    @staticmethod
    def _narrow(submodel: Submodel, state: State,
                kernels: Kernels) -> State:
        part = {
            key: _convolution(submodel, key).narrow(value, kernels[key])
            if key in kernels else value
            for key, value in state.items()
        }
        for key, (size, layout) in submodel.indices.items():
            stride = size // submodel.narrow[key][0]
            units = held_channels(size, size, layout).unflatten(
                0, (layout.blocks, -1, layout.unit))
            part[key] = units[:, ::stride].flatten()
        return part

    def aggregate(self, global_state: State,
                  updates: Sequence[ClientUpdate]) -> State:
        """Enlarge, mix and tune, see :class:`Aggregator`."""
        mixed = self._mix(global_state, updates)
        owners = dict.fromkeys(
            self._owner_of(submodel) for submodel in self.submodels.values())
        for owner in owners:
            self.kernels[owner] = self._tune(owner, mixed,
                                             updates[0].parameter_names)
        return mixed

    @torch.enable_grad()
    def _mix(self, before: State, updates: Sequence[ClientUpdate]) -> State:
        """The mean of the enlarged models."""
        names = set(updates[0].parameter_names)
        logits = torch.zeros(len(updates), requires_grad=True)
        kernels: List[Kernels] = []
        for update in updates:
            submodel = self.submodels.get(update.client)
            kernels.append(
                _as_leaves(_first_kernels(submodel, True), names)
                if submodel else {})

        def mix() -> State:
            shares = logits.softmax(0)
            states = [
                self._enlarge(update, own)
                for update, own in zip(updates, kernels)
            ]
            # The gradient takes buffers for constants.
            return {
                key: _mean([state[key] for state in states],
                           shares if key in names else shares.detach())
                for key in before
            }

        heatmaps = None
        if self.kl:
            with torch.no_grad():
                heatmaps = self._heatmaps(before)

        def loss() -> Tensor:
            mixed = mix()
            value = self._loss(mixed)
            if heatmaps is None:
                return value
            return value + self.kl * _divergence(heatmaps,
                                                 self._heatmaps(mixed))

        self._descend(
            [logits, *(k for own in kernels for k in own.values())], loss)
        self.weights = dict(
            zip((update.client for update in updates),
                logits.softmax(0).tolist()))
        with torch.no_grad():
            return {
                key: value.to(before[key].dtype)
                for key, value in mix().items()
            }

    def _enlarge(self, update: ClientUpdate, kernels: Kernels) -> State:
        submodel = self.submodels.get(update.client)
        return {
            key: _convolution(submodel, key).enlarge(value, kernels[key])
            if key in kernels else value
            for key, value in update.state.items()
        }

    @torch.enable_grad()
    def _tune(self, owner: str, state: State,
              names: Sequence[str]) -> Kernels:
        """The next kernels that make a part."""
        submodel = self.submodels[owner]
        kernels = _as_leaves(
            self.kernels.get(owner) or _first_kernels(submodel, False), names)
        self._descend(
            list(kernels.values()), lambda: self.part_losses[owner](
                self._narrow(submodel, state, kernels)))
        return {key: kernel.detach() for key, kernel in kernels.items()}

    def _descend(self, leaves: List[Tensor], loss: Callable[[], Tensor]):
        adam = torch.optim.Adam([leaf for leaf in leaves
                                 if leaf.requires_grad], lr=self.server_lr)
        for _ in range(self.steps):
            adam.zero_grad()
            loss().backward()
            adam.step()

    def _heatmaps(self, state: State) -> List[Tensor]:
        if self.proxy_loss is None:
            raise FederationError('FedConv needs a proxy set, samples that '
                                  'the server holds, but proxy_loss is None')
        return self.proxy_loss.heatmaps(state)

    def state_dict(self) -> dict:
        """The kernels that make the parts."""
        return dict(kernels={
            owner: dict(kernels)
            for owner, kernels in self.kernels.items()
        })

    def load_state_dict(self, state_dict: dict):
        """Restore what :meth:`state_dict` gave."""
        self.kernels = state_dict['kernels']


def _convolution(submodel: Submodel, key: str) -> WeightConvolution:
    return WeightConvolution(submodel.cuts[key],
                             submodel.input_dims.get(key, 1))


def _first_kernels(submodel: Submodel, is_transposed: bool) -> Kernels:
    return {
        key: _convolution(submodel, key).first_kernel(is_transposed)
        for key, cuts in submodel.cuts.items() if cuts
    }


def _as_leaves(kernels: Kernels, names: Sequence[str]) -> Kernels:
    """Kernels of which those of parameters are tuned.

    A variance of BatchNorm must not become negative.
    """
    return {
        key: kernel.clone().requires_grad_(key in names)
        for key, kernel in kernels.items()
    }


def _mean(values: Sequence[Tensor], shares: Tensor) -> Tensor:
    if not values[0].is_floating_point():  # see average_states
        return torch.stack(list(values)).amax(0)
    return sum(share * value for share, value in zip(shares, values))


def _divergence(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Mean KL divergence of heatmaps (B, K, H, W) as distributions."""
    terms = [
        F.kl_div(
            new.flatten(2).log_softmax(-1),
            old.flatten(2).log_softmax(-1),
            reduction='none',
            log_target=True).sum(-1).mean() for old, new in zip(before, after)
    ]
    return sum(terms) / len(terms)
