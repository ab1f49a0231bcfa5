"""Clients that train adapters of a frozen model."""

from typing import Optional

from torch import nn

from mmpose_raf.models.lora import AdaptedModel
from .federation_settings import FederationSettings


def build_adapted(settings: FederationSettings, model: nn.Module,
                  resumed: Optional[dict] = None) -> Optional[AdaptedModel]:
    """Build what the clients train, if that is a model with adapters.

    Args:
        settings (FederationSettings): The federation.
        model (nn.Module): The global model, not wrapped, with its weights.
        resumed (dict, optional): What a checkpoint to resume holds as
            ``federation``. Defaults to None: it starts.

    Raises:
        ConfigError: If the model cannot be adapted.
    """
    adapters = settings.build_adapters()
    if adapters is None:
        return None
    adapted = adapters.adapt(model, settings.seed)
    if resumed is not None:
        # A merged model does not tell what of it is frozen.
        adapted.load_state_dict(resumed['adapters'])
    return adapted
