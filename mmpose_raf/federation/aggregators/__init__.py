"""Aggregators."""

from .adaptive import FedAdagrad, FedAdam, FedYogi
from .base import Aggregator
from .contribution_fair import ContributionFair
from .discrepancy_aware import DiscrepancyAware
from .dp_fedavg import DPFedAvg
from .fedavg import FedAvg
from .fedavgm import FedAvgM
from .fedconv import FedConv
from .layerwise_divergence_aware import LayerwiseDivergenceAware
from .learnable_weights import LearnableWeights
from .loss_aware import LossAware
from .norm_clipping import NormClipping
from .ranking_vote import RankingVote
from .robust import CoordinateMedian, Krum, MultiKrum, TrimmedMean
from .staleness_aware import StalenessAware
from .submodel_average import FedRolex, HeteroFL, SubmodelAverage

__all__ = [
    'Aggregator', 'ContributionFair', 'CoordinateMedian', 'DPFedAvg',
    'DiscrepancyAware', 'FedAdagrad', 'FedAdam', 'FedAvg', 'FedAvgM',
    'FedConv', 'FedRolex', 'FedYogi', 'HeteroFL', 'Krum',
    'LayerwiseDivergenceAware', 'LearnableWeights', 'LossAware', 'MultiKrum',
    'NormClipping', 'RankingVote', 'StalenessAware', 'SubmodelAverage',
    'TrimmedMean'
]
