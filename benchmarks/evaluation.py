"""What an evaluation costs: prediction, decoding in it, and the metrics.

The flip test takes images and mirror images through the model as one batch or
in two passes. Heatmaps are decoded by this project, a batch at once on its
device, or by MMPose's codec, one by one on the CPU. An evaluation is, for each
sample, a prediction from bytes to keypoints with the flip test in two passes
(this project's decoding included) and what PCKAccuracy and NME take in;
loading the images and the metrics' mean over all samples are not in it.

    python -m benchmarks.evaluation
    python -m benchmarks.evaluation --device cuda --arch base --amp fp32 bf16 \
        --batch-size 32 128
"""

import itertools
import sys
from functools import partial
from typing import List

import torch

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose.models.heads import HeatmapHead  # isort: skip
from mmpose.registry import METRICS

from benchmarks.measuring import (DTYPES, Row, alternate, find_device,
                                  make_parser, note_of, run_benchmark)
from benchmarks.subjects import ARCHS, build_model, load_batch, read_config
from mmpose_raf.models.heatmap_decoding import decode_at_any_size

# With a prefix, lest MMEngine warns.
METRIC_CONFIGS = dict(
    PCKAccuracy=dict(type='PCKAccuracy', prefix='pck'),
    NME=dict(
        type='NME',
        norm_mode='use_norm_item',
        norm_item='bbox_size',
        prefix='nme'))


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__)
    parser.add_argument('--arch', choices=ARCHS, default='tiny')
    parser.add_argument('--batch-size', nargs='+', type=int, default=[8, 32])
    return parser.parse_args(args)


class Prediction:
    """Predicts a batch of rendered people as MMEngine's loop does.

    Args:
        arch (str): See :func:`benchmarks.subjects.read_config`.
        amp (str): ``'fp32'``, ``'bf16'`` or ``'fp16'``.
        batch_size (int): Images in a batch.
        device (torch.device): Where to predict.
    """

    def __init__(self, arch: str, amp: str, batch_size: int,
                 device: torch.device):
        cfg = read_config(arch)
        self.model = build_model(cfg, device).eval()
        self.device = device
        self.dtype = DTYPES[amp]
        self.data = load_batch(cfg, batch_size)

    def __call__(self, joint_flip: bool) -> list:
        """The data samples with predictions, after a flip test."""
        self.model.test_cfg['joint_flip'] = joint_flip
        with torch.no_grad(), self._autocast():
            return self.model.test_step(self.data)

    def heatmaps(self) -> torch.Tensor:
        """Heatmaps in shape (B, K, H, W), float32."""
        with torch.no_grad(), self._autocast():
            inputs = self.model.data_preprocessor(self.data)['inputs']
            return self.model(inputs, None, mode='tensor').float()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type,
            self.dtype,
            enabled=self.dtype != torch.float32)


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    return [
        row for amp, batch_size in itertools.product(options.amp,
                                                     options.batch_size)
        for row in measure_batch(options.arch, amp, batch_size, device,
                                 options.repeats)
    ]


def measure_batch(arch: str, amp: str, batch_size: int, device: torch.device,
                  repeats: int) -> List[Row]:
    """Rows of one model in one precision and batch size."""
    predict = Prediction(arch, amp, batch_size, device)
    head, heatmaps = predict.model.head, predict.heatmaps()
    # What MMEngine's evaluator gives to its metrics.
    samples = [sample.to_dict() for sample in predict(joint_flip=False)]
    metrics = {
        name: METRICS.build(config)
        for name, config in METRIC_CONFIGS.items()
    }
    joint, apart = 'prediction, joint flip', 'prediction, two passes'
    here, theirs = 'decoding', "decoding by MMPose's codec"
    timings = alternate(
        {
            joint: partial(predict, joint_flip=True),
            apart: partial(predict, joint_flip=False),
            here: partial(decode_at_any_size, head.decoder, head.sigma_mode,
                          heatmaps),
            theirs: partial(HeatmapHead.decode, head, heatmaps),
            **{
                name: partial(metric.process, None, samples)
                for name, metric in metrics.items()
            }
        },
        device,
        repeats,
        warmup=2)

    label = f'{arch} {amp}, batch of {batch_size}'
    rows = [
        Row(f'{label}, {name}', batch_size / timings[name].seconds,
            'samples/s', note_of(timings[name])) for name in (joint, apart)
    ]
    rows += [
        Row(f'{label}, {name}', 1e3 * timings[name].seconds / batch_size,
            'ms/sample', note_of(timings[name]))
        for name in (here, theirs, *metrics)
    ]
    seconds = {name: timing.seconds for name, timing in timings.items()}
    rows += [
        Row(f'{label}, two passes, time of joint flip',
            seconds[apart] / seconds[joint], 'x'),
        Row(f"{label}, MMPose's codec, time of decoding",
            seconds[theirs] / seconds[here], 'x')
    ]
    of_metrics = sum(seconds[name] for name in metrics)
    whole = seconds[apart] + of_metrics
    with_codec = whole - seconds[here] + seconds[theirs]
    rows += [
        Row(f'{label}, decoding, share of an evaluation',
            100 * seconds[here] / whole, '%'),
        Row(f"{label}, decoding by MMPose's codec, share of an evaluation",
            100 * seconds[theirs] / with_codec, '%',
            'computed: in place of the decoding here'),
        Row(f'{label}, metrics, share of an evaluation',
            100 * of_metrics / whole, '%')
    ]
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
