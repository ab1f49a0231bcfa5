"""What server and clients change in a config in the same way."""

from typing import Any

from mmengine.config import Config

from mmpose_raf.engine.federation_settings import FederationSettings


def seed_alike(cfg: Config, settings: FederationSettings):
    """Have all machines draw the same first weights.

    Args:
        cfg (Config): Changed in place.
        settings (FederationSettings): Its federation, which takes 0 where
            there is no seed; MMEngine would draw one.
    """
    cfg.randomness = dict(cfg.get('randomness') or {}, seed=settings.seed)


def without_pretrained(model: Any) -> Any:
    """A model's config without the files of pretrained weights."""
    if isinstance(model, dict):
        return {
            key: without_pretrained(value)
            for key, value in model.items()
            if not (key == 'init_cfg' and _is_pretrained(value))
        }
    if isinstance(model, (list, tuple)):
        return [without_pretrained(value) for value in model]
    return model


def _is_pretrained(init_cfg: Any) -> bool:
    return isinstance(init_cfg,
                      dict) and as_written(init_cfg['type']) == 'Pretrained'


def as_written(kind: Any) -> str:
    """The name of a type, given as a text or as the class itself."""
    return getattr(kind, '__name__', kind)
