"""Resolution drift of what clients have measured, each on its own images."""

import math
from typing import Dict, Mapping, Optional, Sequence, Tuple

from torch import nn

from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.engine.trained_sizes import find_trained_sizes
from mmpose_raf.evaluation.drift_result import (ClientResult, DriftResult,
                                                ViewResult)
from mmpose_raf.evaluation.drift_summary import pick_metric, rule_of
from mmpose_raf.evaluation.model_cost import count_gflops
from mmpose_raf.evaluation.view import View
from mmpose_raf.sizes import Size

# In place of the persons' digest: whom the clients hold the server does not
# know.
FINGERPRINT = 'held by the clients'
#: For each client its metrics and the number of its samples.
Results = Mapping[str, Tuple[Dict[str, float], int]]


def drift_of_clients(name: str, results: Results, means: Dict[str, float],
                     sizes: Sequence[Size], settings: FederationSettings,
                     model: nn.Module,
                     metainfo: dict) -> Optional[DriftResult]:
    """The result of an evaluation by the clients, as a report reads it.

    Its views are the means over the clients by samples; beside them stands
    each client at its own resolution. What only a server with images could
    tell is missing: the decoder's ceiling, the accuracy of each keypoint, the
    time of the model.

    Args:
        name (str): Name of the run.
        results (Results): What each client has measured.
        means (dict[str, float]): Means of the metrics.
        sizes (list[tuple[int, int]]): The sizes (w, h) at which they were to
            evaluate; what clients say of others does not count.
        settings (FederationSettings): The federation.
        model (nn.Module): The global model.
        metainfo (dict): That of the training dataset.

    Returns:
        DriftResult | None: None if there is a size that nobody has evaluated.
    """
    by_size = {size: _at(size, means) for size in sizes}
    if not by_size or not all(by_size.values()):
        return None
    key_metric = pick_metric(by_size[sizes[0]], None)
    if not all(key_metric in metrics for metrics in by_size.values()):
        return None
    clients = []
    for client in settings.clients:
        metrics, count = results.get(client.name, ({}, 0))
        for size in client.input_sizes:
            own = _at(size, metrics)
            if key_metric in own:
                clients.append(
                    ClientResult(client.name, View(size), count, own))
    names = [
        str(metainfo['keypoint_id2name'][index])
        for index in range(metainfo['num_keypoints'])
    ]
    return DriftResult(
        name=name,
        dataset=metainfo['dataset_name'],
        num_samples=sum(count for _, count in results.values()),
        fingerprint=FINGERPRINT,
        key_metric=key_metric,
        rule=rule_of(key_metric),
        trained_sizes=find_trained_sizes(settings, model),
        input_sizes=list(by_size),
        keypoint_names=names,
        keypoint_threshold=math.nan,
        views=[
            ViewResult(
                View(size),
                metrics,
                ceiling={},
                keypoint_accuracy=[None] * len(names),
                gflops=count_gflops(model, size),
                milliseconds=math.nan) for size, metrics in by_size.items()
        ],
        clients=clients,
        hardware='the clients')


def _at(size: Size, metrics: Dict[str, float]) -> Dict[str, float]:
    """Metrics at an input size, before whose names MultiResolutionValLoop
    puts it."""
    prefix = f'{View(size).name}/'
    return {
        name[len(prefix):]: value
        for name, value in metrics.items() if name.startswith(prefix)
    }
