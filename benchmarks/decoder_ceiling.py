"""What a perfect model would reach: true heatmaps, decoded.

Keypoints are drawn evenly over the crop, encoded at each input size and
decoded by MMPose's codec and by this project's decoder. Errors are in pixels
of a crop 256 high; PCK at 1 % and at 5 % of the longer side of the person's
box, which the crop holds with a padding of 1.25.

    python benchmarks/decoder_ceiling.py
"""

import numpy as np
import torch

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose.codecs import UDPHeatmap  # isort: skip

from mmpose_raf.models.codecs import SIGMA_MODES, resize_codec
from mmpose_raf.models.heatmap_decoding import decode_heatmaps
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.tables import render_table

# ViTPose's codec, and sizes (w, h).
CODEC = UDPHeatmap((192, 256), (48, 64), sigma=2)
INPUT_SIZES = [(48, 64), (72, 96), (96, 128), (144, 192), (192, 256),
               (384, 512)]
NUM_PERSONS = 200
BOX = 256 / 1.25


def measure(codec: UDPHeatmap, keypoints: torch.Tensor) -> list:
    """Errors (N, K) in pixels of 256 of both decoders."""
    heatmaps, _ = encode_batch(codec, keypoints,
                               torch.ones(keypoints.shape[:2]))
    size = np.array(codec.input_size)
    errors = []
    theirs = np.concatenate(
        [codec.decode(maps)[0] for maps in heatmaps.numpy()])
    for decoded in (theirs, decode_heatmaps(codec, heatmaps)[0].numpy()):
        # MMPose scales UDP's coordinates, 0 to w - 1, to 0 to w.
        distance = decoded / size * (size - 1) - keypoints.numpy()
        errors.append(
            np.linalg.norm(distance, axis=-1) * 255 / (size[1] - 1))
    return errors


def main():
    """Print the table."""
    rng = np.random.default_rng(0)
    rows = []
    for mode in SIGMA_MODES:
        for size in INPUT_SIZES:
            codec = resize_codec(CODEC, size, mode)
            places = rng.uniform(0, 1, (NUM_PERSONS, 17, 2))
            keypoints = torch.tensor(places * (np.array(size) - 1)).float()
            row = [
                mode, f'{size[1]}x{size[0]}', f'{codec.sigma:g}',
                str(codec.blur_kernel_size)
            ]
            for error in measure(codec, keypoints):
                row += [
                    f'{error.mean():.3f}', f'{error.max():.2f}',
                    f'{100 * (error < .01 * BOX).mean():.1f}',
                    f'{100 * (error < .05 * BOX).mean():.1f}'
                ]
            rows.append(row)
    head = ['sigma', 'input', 'px', 'kernel']
    for name in ('MMPose', 'here'):
        head += [f'{name}: mean', 'max', 'PCK@.01', 'PCK@.05']
    print(render_table(head, rows))


if __name__ == '__main__':
    main()
