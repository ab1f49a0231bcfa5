"""On what the clients of a federation are trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Execution:
    """On what the clients are trained; the weights do not depend on it.

    Args:
        parallel (str): What several processes share out: ``'batches'``, each
            a part of every batch, as MMEngine does; or ``'clients'``, each
            of whom one process trains, at the same time as the others.
            Defaults to ``'batches'``.
        state_device (str): Where global weights, updates and what the
            clients keep wait: ``'cpu'``, or ``'model'`` for the model's
            device, where a GPU holds those of all clients at once. Defaults
            to ``'cpu'``.
        overlap (bool): Whether moments travel between a GPU and the host
            while it computes, on a stream of their own. This has never run
            on a GPU. Defaults to False: they are waited for.
    """

    parallel: str = 'batches'
    state_device: str = 'cpu'
    overlap: bool = False
