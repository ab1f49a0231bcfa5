"""What all local defences share."""

from abc import ABCMeta, abstractmethod
from typing import Callable

from torch import nn

#: From a batch of a data loader to the batch that is trained on.
Hardening = Callable[[dict], dict]


class LocalDefence(metaclass=ABCMeta):
    """What honest clients do to their batches against attacks.

    It works on the images as the data loader gives them, before the model's
    ``data_preprocessor``. Random numbers come from torch's global generator,
    which is seeded for each visit, and nothing is kept from visit to visit:
    a resumed run is exact.
    """

    def check(self, model: nn.Module):
        """Refuse a model that the defence cannot work with.

        Args:
            model (nn.Module): The model, not wrapped.

        Raises:
            ConfigError: If it cannot.
        """

    @abstractmethod
    def start(self, model: nn.Module) -> Hardening:
        """Begin a client's visit.

        Args:
            model (nn.Module): The model, not wrapped, with the weights that
                the client starts from; it is trained meanwhile.

        Returns:
            callable: Called with each batch, before the step on it. It gives
            the batch to train on, a new dict.
        """
