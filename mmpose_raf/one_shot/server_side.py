"""What the server makes of the clients' models."""

from typing import Dict, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmpose.registry import MODELS
from torch import Tensor, nn

from mmpose_raf.building import build
from mmpose_raf.engine.federation_settings import FederationSettings
from mmpose_raf.federation.state_math import State, average_states
from mmpose_raf.models.codecs import HeatmapCodec, is_udp, resize_codec
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.ladder import levels_of, weigh_levels
from mmpose_raf.sizes import Size
from .ensemble import Ensemble
from .informative_tokens import Grid
from .inversion import Inverted
from .one_shot_settings import OneShotSettings
from .pose_prior import PosePrior
from .pose_statistics import from_frame
from .relabel import relabel


class ServerSide:
    """The server of FedMITR ("Provable Sparse Inversion and Token Relabel
    Enhanced One-shot Federated Learning with ViTs", arXiv 2605.10748), for
    poses.

    It has the models that the clients have trained, each by itself, and no
    data. From their ensemble it makes images for poses that it draws
    (:class:`Inversion`), labels them (:func:`relabel`), and trains the mean
    of the models on them (:class:`Distillation`).

    Args:
        cfg (Config): Config of the federation.
        settings (OneShotSettings): What it says about one-shot learning.
        federation (FederationSettings): What it says about the clients.
        states (list[dict[str, Tensor]]): The clients' weights and buffers.
        prior (PosePrior): Where poses come from.

    Attributes:
        model (nn.Module): The global model; at first the mean of the
            clients', as after one round of FedAvg.
        ensemble (Ensemble): The clients' models.
        levels (dict[tuple[int, int], float]): The sizes (w, h) that any of
            them was trained at, from high to low, with their weights.
        codecs (dict[tuple[int, int], HeatmapCodec]): The codec of each.
        grid (tuple[int, int], optional): Patches (H, W) of an image of the
            highest; None if the backbone has no tokens.
    """

    def __init__(self, cfg: Config, settings: OneShotSettings,
                 federation: FederationSettings, states: Sequence[State],
                 prior: PosePrior):
        self.settings = settings
        self.seed = federation.seed
        self.prior = prior
        self.optim_wrapper = cfg.optim_wrapper
        self.device = torch.device(get_device())
        self.model = self._build(
            cfg.model, average_states(states, [1 / len(states)] * len(states)))
        head = self.model.head
        self.use_udp = is_udp(head.decoder)
        ladder = getattr(self.model, 'ladder', [])
        upward = getattr(self.model, 'upward', False)
        sizes = [[
            size for native in client.input_sizes
            for size in levels_of(ladder, native, upward)
        ] for client in federation.clients]
        self.ensemble = Ensemble(
            [self._build(cfg.model, state) for state in states], sizes,
            self.use_udp)
        levels = sorted({size for own in sizes for size in own}, reverse=True)
        self.levels = dict(
            zip(
                levels,
                weigh_levels(levels,
                             getattr(self.model, 'level_weights', 'uniform'))))
        sigma_mode = getattr(head, 'sigma_mode', 'pixel')
        self.codecs: Dict[Size, HeatmapCodec] = {
            size: resize_codec(head.decoder, size, sigma_mode)
            for size in levels
        }
        grid_of = getattr(self.model.backbone, 'grid_of', None)
        self.grid: Optional[Grid] = grid_of and grid_of(levels[0][::-1])

    def _build(self, config: dict, state: State) -> nn.Module:
        model = build(MODELS, config, 'model')
        model.load_state_dict(state)
        return model.to(self.device)

    def invert(self, batch: int) -> Inverted:
        """Make a batch of images, which depends on seed and number alone.

        Args:
            batch (int): Its number, from 0.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 +
                                                  batch)
        settings = self.settings
        count = min(settings.batch_size,
                    settings.num_images - batch * settings.batch_size)
        keypoints, labelled = self.prior.draw(count, generator)
        found = settings.inversion.invert(
            self.ensemble, self.codecs, self.grid, keypoints.to(self.device),
            labelled.to(self.device), generator)
        return Inverted(*(tensor.cpu() for tensor in found))

    def distil(self, batches: Sequence[Inverted]) -> float:
        """Train the global model on all images; return the last loss."""
        targets = [self.label(batch) for batch in batches]
        return self.settings.distillation.train(
            self.model, torch.cat([batch.images for batch in batches]),
            {
                size: torch.cat([own[size] for own in targets])
                for size in self.levels
            }, self.levels, self.use_udp, self.optim_wrapper, self.seed)

    @torch.no_grad()
    def label(self, batch: Inverted) -> Dict[Size, Tensor]:
        """Heatmaps (B, K, h, w) for images, by level."""
        images, informative, keypoints, labelled = (
            tensor.to(self.device) for tensor in batch)
        labels: Dict[Size, Tensor] = {}
        for size, codec in self.codecs.items():
            soft = self.ensemble.heatmaps(images.float(), size)
            # A keypoint beyond the crop is not labelled there.
            poses, drawn = encode_batch(
                codec, from_frame(keypoints, size, self.use_udp), labelled)
            if self.settings.labels == 'ensemble':
                labels[size] = soft
            elif self.settings.labels == 'pose':
                labels[size] = relabel(poses, soft, drawn)
            else:
                labels[size] = relabel(poses, soft, drawn, informative,
                                       self.grid)
        return {size: own.cpu() for size, own in labels.items()}
