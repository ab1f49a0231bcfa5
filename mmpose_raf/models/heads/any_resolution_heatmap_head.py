"""A heatmap head that decodes whatever size it is given."""

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.utils.typing import InstanceList
from torch import Tensor

from mmpose_raf.errors import check_choice
from mmpose_raf.models.codecs import SIGMA_MODES, check_codec
from mmpose_raf.models.heatmap_decoding import decode_at_any_size


@MODELS.register_module()
class AnyResolutionHeatmapHead(HeatmapHead):
    """MMPose's ``HeatmapHead`` that decodes at the heatmap's own size.

    One checkpoint thus predicts at any input size. Parameters are those of
    ``HeatmapHead``: checkpoints interchange. Keypoints are those of
    ``HeatmapHead`` too, but for maxima near the heatmap's border, see
    :func:`mmpose_raf.models.heatmap_decoding.decode_heatmaps`.

    Args:
        sigma_mode (str): What holds at sizes other than the decoder's:
            ``'pixel'``, the same sigma in heatmap pixels, as RAF was
            published; or ``'relative'``, the same width in the image, for
            which the decoder's blur kernel follows. It also rules the
            targets of :class:`RAFPoseEstimator` and of the clients'
            pipelines. Defaults to ``'pixel'``.
        decoder (dict): Config of a ``UDPHeatmap`` or ``MSRAHeatmap`` codec,
            which describes the highest level. Other arguments as in
            ``HeatmapHead``.
    """

    def __init__(self, *args, sigma_mode: str = 'pixel', **kwargs):
        super().__init__(*args, **kwargs)
        self.sigma_mode = check_choice(sigma_mode, SIGMA_MODES,
                                       'model.head.sigma_mode')
        check_codec(self.decoder, 'model.head.decoder')

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Decode heatmaps (B, K, H, W) of any size, see ``HeatmapHead``."""
        return decode_at_any_size(self.decoder, self.sigma_mode,
                                  batch_outputs)
