"""At which input sizes a model is trained."""

from typing import List, Optional

from torch import nn

from mmpose_raf.models.ladder import levels_of
from mmpose_raf.sizes import Size
from .federation_settings import FederationSettings


def find_trained_sizes(federation: Optional[FederationSettings],
                       model: nn.Module) -> List[Size]:
    """Input sizes (w, h) that a model is trained on, as far as one can see.

    Args:
        federation (FederationSettings, optional): The federation, if any.
        model (BasePoseEstimator): The model, not wrapped.

    Returns:
        list[tuple[int, int]]: Levels of the clients' sizes; without a
        federation those of the codec's input size.
    """
    ladder = getattr(model, 'ladder', [])
    if federation is not None:
        natives = [
            size for client in federation.clients
            for size in client.input_sizes
        ]
    else:
        natives = [tuple(model.head.decoder.input_size)]
    upward = getattr(model, 'upward', False)
    return list(
        dict.fromkeys(size for native in natives
                      for size in levels_of(ladder, native, upward)))
