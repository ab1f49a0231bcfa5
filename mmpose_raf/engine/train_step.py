"""A step of local training among MMEngine's hooks."""

from typing import Any, Dict, Tuple

from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor


class TrainStep:
    """Trains on one batch as ``EpochBasedTrainLoop.run_iter`` does, and tells
    what was logged.

    Args:
        loop (EpochBasedTrainLoop): The loop whose iterations are counted.
    """

    def __init__(self, loop: EpochBasedTrainLoop):
        self.loop = loop

    def __call__(self, batch: Tuple[int, Any]) -> Dict[str, Tensor]:
        """Train on a batch, given with its number in the round."""
        runner = self.loop.runner
        index, data_batch = batch
        runner.call_hook(
            'before_train_iter', batch_idx=index, data_batch=data_batch)
        outputs = runner.model.train_step(
            data_batch, optim_wrapper=runner.optim_wrapper)
        runner.call_hook(
            'after_train_iter',
            batch_idx=index,
            data_batch=data_batch,
            outputs=outputs)
        self.loop._iter += 1
        return outputs
