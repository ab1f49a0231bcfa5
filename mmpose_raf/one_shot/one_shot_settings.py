"""What a config says about one-shot learning, checked once."""

from dataclasses import dataclass
from typing import Optional

from mmengine.config import Config
from mmpose.models.heads import HeatmapHead
from torch import nn

from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.models.backbones import RAFViT
from mmpose_raf.models.codecs import check_codec
from .argument_checks import KEY, build_part, check_count
from .distillation import Distillation
from .inversion import Inversion
from .relabel import LABELS


@dataclass(frozen=True)
class OneShotSettings:
    """Settings of one-shot learning, ``one_shot`` in a config.

    Args:
        num_images (int): Images that the server makes. Defaults to 256.
        batch_size (int): How many at a time; each batch is saved. Defaults
            to 32.
        pose_prior (dict, optional): Config of a top-down dataset that the
            server has, whose poses the images are made for; its pipeline ends
            in ``PackPoseInputs(pack_transformed=True)``. Defaults to None:
            the clients send mean and covariance of theirs, see
            :class:`ClientPoses`.
        labels (str): What the global model learns from the images:
            ``'relabel'``, the pose where they carry information and what the
            ensemble says elsewhere; or one of them everywhere, ``'pose'`` or
            ``'ensemble'``. Defaults to ``'relabel'``.
        inversion (Inversion): How the images are made.
        distillation (Distillation): How the global model is trained.
    """

    num_images: int
    batch_size: int
    pose_prior: Optional[dict]
    labels: str
    inversion: Inversion
    distillation: Distillation

    @classmethod
    def of_config(cls, cfg: Config) -> 'OneShotSettings':
        """Read the settings of a whole config.

        Raises:
            ConfigError: If a setting is unknown or not what it may be.
        """
        config = cfg.get(KEY) or {}
        if not isinstance(config, dict):
            raise ConfigError(KEY, f'got {config!r}', 'use a dict')
        config = dict(config)
        parts = {
            name: build_part(kind, config.get(name, {}), f'{KEY}.{name}')
            for name, kind in (('inversion', Inversion),
                               ('distillation', Distillation))
        }
        defaults = dict(
            num_images=256, batch_size=32, pose_prior=None, labels='relabel')
        settings = build_part(cls, {**defaults, **config, **parts}, KEY)
        check_count(settings.num_images, f'{KEY}.num_images')
        check_count(settings.batch_size, f'{KEY}.batch_size')
        check_choice(settings.labels, LABELS, f'{KEY}.labels')
        if not isinstance(settings.pose_prior, (dict, type(None))):
            raise ConfigError(f'{KEY}.pose_prior',
                              f'got {settings.pose_prior!r}',
                              'use the config of a dataset, or None')
        return settings

    def check_model(self, model: nn.Module):
        """Refuse a model that cannot be inverted so.

        Raises:
            ConfigError: If it has no Gaussian heatmaps, or no tokens.
        """
        if not isinstance(getattr(model, 'head', None), HeatmapHead):
            raise ConfigError('model.head', 'heatmaps are inverted',
                              'use a HeatmapHead')
        check_codec(model.head.decoder, 'model.head.decoder')
        if isinstance(model.backbone, RAFViT):
            return
        name = type(model.backbone).__name__
        if self.inversion.keep:
            raise ConfigError(f'{KEY}.inversion.keep',
                              f'{name} has no tokens to choose from',
                              'use keep=(), dense inversion, or RAFViT')
        if self.labels == 'relabel':
            raise ConfigError(f'{KEY}.labels',
                              f'{name} has no tokens to relabel',
                              "use 'ensemble' or 'pose', or RAFViT")


def check_federation(settings: FederationSettings):
    """Refuse a federation whose clients do not send one whole model each.

    Raises:
        ConfigError: If one does not.
    """
    for name in ('adapters', 'local_params'):
        if getattr(settings, name):
            raise ConfigError(f'federation.{name}',
                              'the server needs whole models',
                              'leave it out of one-shot learning')
    for index, client in enumerate(settings.clients):
        for name, is_set in (('width', client.width != 1),
                             ('attack', client.attacks)):
            if is_set:
                raise ConfigError(f'federation.clients[{index}].{name}',
                                  'one-shot learning does not know it',
                                  'leave it out')
