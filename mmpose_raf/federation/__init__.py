"""Federated algorithms on state dicts: torch only, usable on their own."""

from .aggregators import (Aggregator, ContributionFair, CoordinateMedian,
                          DiscrepancyAware, DPFedAvg, FedAdagrad, FedAdam,
                          FedAvg, FedAvgM, FedConv, FedRolex, FedYogi,
                          HeteroFL, Krum, LayerwiseDivergenceAware,
                          LearnableWeights, LossAware, MultiKrum,
                          NormClipping, RankingVote, StalenessAware,
                          SubmodelAverage, TrimmedMean)
from .client_state import ClientState
from .errors import FederationError
from .folded_updates import FoldedUpdates
from .messages import (ClientUpdate, FreshWeights, TrainRequest, find_fault,
                       is_finite)
from .objectives import (MOON, SCAFFOLD, FeatureAlignment, FedDyn, FedProx,
                         FreshModel, LocalObjective, PGFed, TrainingStart)
from .payload import Payload
from .round_report import RoundReport, Traffic
from .server import Server
from .submodels import Layout, Submodel, held_channels

__all__ = [
    'Aggregator', 'ClientState', 'ClientUpdate', 'ContributionFair',
    'CoordinateMedian', 'DPFedAvg', 'DiscrepancyAware', 'FeatureAlignment',
    'FedAdagrad', 'FedAdam', 'FedAvg', 'FedAvgM', 'FedConv', 'FedDyn',
    'FedProx', 'FedRolex', 'FedYogi', 'FederationError', 'FoldedUpdates',
    'FreshModel', 'FreshWeights', 'HeteroFL', 'Krum',
    'LayerwiseDivergenceAware', 'Layout', 'LearnableWeights', 'LocalObjective', 'LossAware', 'MOON', 'MultiKrum',
    'NormClipping', 'PGFed', 'Payload', 'RankingVote', 'RoundReport',
    'SCAFFOLD', 'Server', 'StalenessAware', 'Submodel', 'SubmodelAverage',
    'Traffic', 'TrainRequest', 'TrainingStart', 'TrimmedMean', 'find_fault',
    'held_channels', 'is_finite'
]
