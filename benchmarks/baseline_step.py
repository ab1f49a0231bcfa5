"""The project's local step beside a straightforward one.

Both train the same model from the same weights on the same crops. The
baseline (:mod:`benchmarks.baseline`) warps every level and draws every
heatmap sample by sample on the CPU, spells attention out and computes the
accuracy in numpy. Their losses must be equal to 1e-4 of their value in fp32,
and to 1e-5 if the baseline is given the project's levels: what remains is
OpenCV's rounding of the places that it reads, to 1/32 pixel. sigma is that of
the paper (in heatmap pixels), for which 3 sigma is a whole number: MMPose
draws other Gaussians off their keypoint, see ``encode_batch``.

    python -m benchmarks.baseline_step
    python -m benchmarks.baseline_step --device cuda --arch base \
        --amp fp32 bf16 --batch-size 32
"""

import copy
import sys
from functools import partial
from typing import Dict, List, Tuple

import torch
from mmengine.optim import build_optim_wrapper
from mmpose.evaluation.functional import pose_pck_accuracy
from torch import Tensor

from benchmarks.baseline.attention import spell_out_attention
from benchmarks.baseline.federation import average_by_key, run_round
from benchmarks.baseline.levels import make_level
from benchmarks.measuring import (DTYPES, Row, alternate, find_device,
                                  make_parser, note_of, run_benchmark)
from benchmarks.subjects import ARCHS, build_model, load_batch, read_config
from mmpose_raf.federation.state_math import (average_states, clone_state,
                                              copy_state)
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.models.ladder import resample, weigh_levels
from mmpose_raf.sizes import size_of

LOSS_TOLERANCE = 1e-4
SAME_LEVELS_TOLERANCE = 1e-5
Level = Tuple[Tensor, Tensor, Tensor]


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=5)
    parser.add_argument('--arch', choices=ARCHS, default='tiny')
    parser.add_argument('--batch-size', type=int, default=8)
    parser.add_argument('--clients', type=int, default=3)
    return parser.parse_args(args)


class FastStep:
    """The project's step.

    Args:
        cfg (Config): Model and optimizer.
        amp (str): Precision.
        data (dict): The batch.
        device (torch.device): Where to train.
    """

    def __init__(self, cfg, amp: str, data: dict, device: torch.device):
        self.data = data
        self.device = device
        self.dtype = DTYPES[amp]
        self.model = self.make_model(cfg)
        self.optim_wrapper = build_optim_wrapper(self.model,
                                                 cfg.optim_wrapper)

    def make_model(self, cfg):
        """The model, the same for both steps."""
        return build_model(cfg, self.device)

    def loss(self) -> Tensor:
        """Loss of the batch, from bytes."""
        with self.autocast():
            data = self.model.data_preprocessor(self.data, True)
            return self.model.parse_losses(
                self.model(**data, mode='loss'))[0]

    def autocast(self):
        """Precision of the forward pass."""
        return torch.autocast(
            self.device.type,
            self.dtype,
            enabled=self.dtype != torch.float32)

    def __call__(self):
        """Make a step."""
        self.optim_wrapper.update_params(self.loss())


class BaselineStep(FastStep):
    """The straightforward step; arguments as in :class:`FastStep`."""

    def make_model(self, cfg):
        """The same weights with attention spelt out."""
        return spell_out_attention(super().make_model(cfg))

    def prepare(self) -> List[Level]:
        """Images, targets and weights of all levels, on the CPU."""
        model = self.model
        return [
            make_level(self.data['inputs'], self.data['data_samples'],
                       resize_codec(model.codec, size, model.sigma_mode))
            for size in model.ladder
        ]

    def prepare_exactly(self) -> List[Level]:
        """As :meth:`prepare`, with the project's levels."""
        native = torch.stack(self.data['inputs']).float()
        return [(native if size_of(images) == size_of(native) else resample(
            native, size_of(images), True), targets, weights)
                for images, targets, weights in self.prepare()]

    def loss(self) -> Tensor:
        """Loss of the batch, from bytes."""
        return self.loss_of(self.prepare())

    def loss_of(self, levels: List[Level]) -> Tensor:
        """Loss of prepared levels; accuracy is computed as MMPose does."""
        model = self.model
        shares = weigh_levels(model.ladder, model.level_weights)
        heatmaps, weights_of, total = [], [], 0
        with self.autocast():
            for share, (images, targets, weights) in zip(shares, levels):
                prepared = model.data_preprocessor(
                    dict(inputs=images, data_samples=[]))['inputs']
                targets, weights = (
                    tensor.to(self.device) for tensor in (targets, weights))
                output = model.head.forward(model.extract_feat(prepared))
                total = total + share * model.head.loss_module(
                    output, targets, weights)
                measure_accuracy(output, targets, weights)
                heatmaps.append(output)
                weights_of.append(weights)
            terms = model.distill_loss(heatmaps, weights_of[0],
                                       model.use_udp)
            for share, term in zip(shares[1:], terms):
                total = total + model.distill_loss.alpha * share * term
        return total


def measure_accuracy(output: Tensor, targets: Tensor, weights: Tensor):
    """Training accuracy as ``HeatmapHead.loss`` computes it, in numpy."""
    pose_pck_accuracy(
        output=output.detach().float().cpu().numpy(),
        target=targets.cpu().numpy(),
        mask=weights.cpu().numpy() > 0)


def read_paper_config(arch: str):
    """The model with the paper's targets, see the module."""
    cfg = read_config(arch)
    cfg.model.head.sigma_mode = 'pixel'
    cfg.model.head.decoder.sigma = 2
    return cfg


def check_losses(arch: str, fast: FastStep,
                 baseline: BaselineStep) -> List[Row]:
    """Rows on how equal the two are, in fp32.

    Raises:
        AssertionError: If they are not.
    """
    expected = fast.loss().item()
    rows = []
    for name, levels, tolerance in (
        ('own levels', baseline.prepare(), LOSS_TOLERANCE),
        ("project's levels", baseline.prepare_exactly(),
         SAME_LEVELS_TOLERANCE)):
        loss = baseline.loss_of(levels).item()
        difference = abs(loss - expected) / expected
        assert difference < tolerance, (name, loss, expected)
        rows.append(
            Row(f'{arch} fp32 loss, {name}, relative difference', difference,
                '1', f'baseline {loss:.6g}, project {expected:.6g}'))
    return rows + compare_images(arch, baseline)


def compare_images(arch: str, baseline: BaselineStep) -> List[Row]:
    """Rows on how far the levels' images are apart, in grey levels."""
    rows = []
    for own, exact in zip(baseline.prepare(), baseline.prepare_exactly()):
        gap = (own[0] - exact[0]).abs()
        height, width = gap.shape[-2:]
        rows.append(
            Row(f'{arch} images {height}x{width}, largest difference',
                gap.max().item(), 'grey levels',
                f'mean {gap.mean().item():.2g}'))
    return rows


def measure_steps(options, amp: str, device: torch.device) -> List[Row]:
    """Rows of the local step in one precision."""
    cfg = read_paper_config(options.arch)
    data = load_batch(cfg, options.batch_size)
    fast = FastStep(cfg, amp, data, device)
    baseline = BaselineStep(cfg, amp, data, device)
    rows = check_losses(options.arch, fast,
                        baseline) if amp == 'fp32' else []
    levels = baseline.prepare()

    def step_alone():
        baseline.optim_wrapper.update_params(baseline.loss_of(levels))

    timings = alternate(
        {
            'project': fast,
            'baseline': baseline,
            'baseline, levels at hand': step_alone
        }, device, options.repeats)
    name = f'{options.arch} {amp}'
    for label, timing in timings.items():
        rows.append(
            Row(f'{name} step, {label}', 1e3 * timing.seconds, 'ms',
                note_of(timing)))
    own = timings['project'].seconds
    rows.append(
        Row(f'{name}, levels + step, baseline / project',
            timings['baseline'].seconds / own, 'x'))
    rows.append(
        Row(f'{name}, baseline step alone / project with levels',
            timings['baseline, levels at hand'].seconds / own, 'x'))
    return rows


def measure_rounds(options, device: torch.device) -> List[Row]:
    """Rows of what a round costs beside training: copies and the mean."""
    cfg = read_paper_config(options.arch)
    server = build_model(cfg, device)
    count = options.clients
    timings = alternate(
        {
            'project': partial(resident_round, server, count),
            'baseline': partial(run_round, copy.deepcopy(server), nudge,
                                count)
        }, device, options.repeats)
    check_rounds(server, count)
    rows = [
        Row(f'{options.arch}, {count} clients, copies and mean, {name}',
            1e3 * timing.seconds, 'ms', note_of(timing))
        for name, timing in timings.items()
    ]
    ratio = timings['baseline'].seconds / timings['project'].seconds
    rows.append(
        Row(f'{options.arch}, copies and mean, baseline / project', ratio,
            'x'))
    return rows


def nudge(model: torch.nn.Module, index: int):
    """Training that takes next to no time."""
    with torch.no_grad():
        for parameter in list(model.parameters())[:3]:
            parameter += .01 * (index + 1)


def resident_round(model: torch.nn.Module, count: int) -> Dict[str, Tensor]:
    """The project's round on one model, as ``FederatedHook`` makes it."""
    device = next(model.parameters()).device
    start = clone_state(model.state_dict(), device)
    states = []
    for index in range(count):
        copy_state(start, model.state_dict())
        nudge(model, index)
        states.append(clone_state(model.state_dict(), device))
    mean = average_states(states, [1 / count] * count)
    copy_state(mean, model.state_dict())
    return mean


def check_rounds(server: torch.nn.Module, count: int):
    """Both rounds give the same weights.

    Raises:
        AssertionError: If they do not.
    """
    first = resident_round(copy.deepcopy(server), count)
    second = run_round(copy.deepcopy(server), nudge, count)
    for key, value in first.items():
        torch.testing.assert_close(value, second[key])
    assert average_by_key([first], [1.]).keys() == first.keys()


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    rows = []
    for amp in options.amp:
        rows += measure_steps(options, amp, device)
    return rows + measure_rounds(options, device)


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
