"""Validation by clients, each on its own images."""

from pathlib import Path
from typing import Dict, Optional, Sequence

from flwr.app import MessageType
from mmengine.evaluator import Evaluator
from mmengine.runner import BaseLoop

from mmpose_raf.evaluation.drift_result import FILE_NAME
from mmpose_raf.sizes import Size
from .clients_drift import Results, drift_of_clients
from .records import pack_weights, unpack_evaluation
from .tensors import MessageError


class ClientsValLoop(BaseLoop):
    """Validation by the clients, each on its own data.

    Logs the metrics of each as ``<client>/<metric>``, and their means by
    samples as ``<metric>``, which ``save_best`` can follow. If they evaluate
    at many sizes, the result is written to the work dir as ``drift.json``,
    as that of a test of the server's.

    Args:
        loop (ServerTrainLoop): The loop of the training.
        sizes (list[tuple[int, int]]): At which sizes (w, h) they are to
            evaluate; empty if at one of their own.
    """

    def __init__(self, loop, sizes: Sequence[Size]):
        super().__init__(loop.runner, loop.dataloader)
        self.loop = loop
        self.sizes = sizes
        self.evaluator: Optional[Evaluator] = None

    def run(self) -> Dict[str, float]:
        """Ask all clients that are connected."""
        runner, loop = self.runner, self.loop
        runner.call_hook('before_val')
        runner.call_hook('before_val_epoch')
        answers = loop.nodes.ask(
            MessageType.EVALUATE, {
                name: pack_weights(
                    loop.terms,
                    loop.server.aggregator.part_of(loop.server.state, name,
                                                   loop.server.version),
                    loop.taken.get(name, -1))
                for name in loop.nodes.find(loop.terms)
            }, loop.patience.answer)
        results = {}
        for name, answer in answers.items():
            try:
                if isinstance(answer, str):
                    raise MessageError(answer)
                results[name] = unpack_evaluation(answer)
            except MessageError as error:
                runner.logger.error(
                    f'Client {name} has not evaluated: {error}')
        metrics = mean_by_samples(results)
        self._write_drift(results, metrics)
        runner.call_hook('after_val_epoch', metrics=metrics)
        runner.call_hook('after_val')
        return metrics

    def _write_drift(self, results: Results, metrics: dict):
        folder = Path(self.runner.work_dir)
        drift = drift_of_clients(folder.resolve().name, results, metrics,
                                 self.sizes, self.loop.settings,
                                 self.loop.model,
                                 self.dataloader.dataset.metainfo)
        if drift:
            drift.save(folder / FILE_NAME)
            self.runner.logger.info(f'Result: {folder / FILE_NAME}')


def mean_by_samples(results: Results) -> Dict[str, float]:
    """Metrics of each client and their means.

    Args:
        results (Results): What each client has measured.

    Returns:
        dict[str, float]: ``<client>/<metric>`` for each, and ``<metric>``,
        the mean by samples over the clients that have it.
    """
    metrics = {
        f'{client}/{name}': value
        for client, (values, _) in results.items()
        for name, value in values.items()
    }
    for name in dict.fromkeys(name for values, _ in results.values()
                              for name in values):
        held = [(values[name], count) for values, count in results.values()
                if name in values]
        metrics[name] = sum(value * count for value, count in held) / sum(
            count for _, count in held)
    return metrics
