"""Decoding of heatmaps whose size is known when the program runs."""

from typing import Tuple

import torch
from torch import Tensor, nn

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.codecs import check_codec, is_udp, resize_codec
from mmpose_raf.models.heatmap_decoding import blur_taps, locate_maxima

# Of a heatmap's sides, see locate_maxima.
SMALLEST = 3


class HeatmapDecoder(nn.Module):
    """Decodes as :func:`mmpose_raf.models.heatmap_decoding.decode_heatmaps`.

    The codec depends on the height of the heatmap alone: its sigma and the
    taps of its blur are read from tables, which :func:`resize_codec` has
    filled. A heatmap beyond the tables is an error of the runtime.

    Args:
        head (HeatmapHead): The head, whose decoder is a ``UDPHeatmap`` or an
            unbiased ``MSRAHeatmap``.
        max_height (int): Height of the highest input in pixels.

    Raises:
        ConfigError: If the decoder is another one.
    """

    def __init__(self, head: nn.Module, max_height: int):
        super().__init__()
        codec = check_codec(head.decoder, 'model.head.decoder')
        if not (is_udp(codec) or codec.unbiased):
            raise ConfigError(
                'model.head.decoder',
                'MSRAHeatmap(unbiased=False) is decoded outside of networks',
                'export without decoding')
        self.use_udp = is_udp(codec)
        self.stride = codec.input_size[1] // codec.heatmap_size[1]
        sigma_mode = getattr(head, 'sigma_mode', 'pixel')
        codecs = {
            rows: resize_codec(codec,
                               (codec.input_size[0], rows * self.stride),
                               sigma_mode)
            for rows in range(SMALLEST, max_height // self.stride + 1)
        }
        longest = max(codec.blur_kernel_size for codec in codecs.values())
        sigmas = torch.zeros(max(codecs) + 1)
        taps = torch.zeros(len(sigmas), longest)
        for rows, codec in codecs.items():
            sigmas[rows] = codec.sigma
            kernel = codec.blur_kernel_size
            taps[rows].narrow(0, (longest - kernel) // 2,
                              kernel)[:] = torch.from_numpy(blur_taps(kernel))
        self.register_buffer('sigmas', sigmas)
        self.register_buffer('taps', taps)

    def forward(self, heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
        """Decode heatmaps.

        Args:
            heatmaps (Tensor): Heatmaps in shape (B, K, H, W).

        Returns:
            tuple[Tensor, Tensor]: Keypoints (x, y) in the input's pixels in
            shape (B, K, 2), and scores in shape (B, K).
        """
        height, width = heatmaps.shape[-2:]
        keypoints, scores = locate_maxima(heatmaps, self.sigmas[height],
                                          self.taps[height], self.use_udp)
        if not self.use_udp:
            return keypoints * self.stride, scores
        x, y = keypoints.unbind(-1)
        return torch.stack((x * (self.stride * width / (width - 1)), y *
                            (self.stride * height / (height - 1))), -1), scores
