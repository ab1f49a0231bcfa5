"""FLOPs of a local training step and how much of the device they use.

Counted by torch and by hand; an addition and a multiplication are 2 FLOPs, and
only matrix products and convolutions count. The hand's count is what the model
needs: MFU is its FLOPs over the step's time, divided by the rate that the
device reaches in one large matrix product of the same precision.

torch's counter takes no notice of groups in the gradient of a convolution's
weight: for a depth-wise one of C channels it counts C times too much. The
difference is printed, and is exactly that.

    python -m benchmarks.mfu
    python -m benchmarks.mfu --device cuda --arch base --amp bf16 \
        --batch-size 32
"""

import sys
from typing import Dict, List

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measuring import (DTYPES, Row, alternate, find_device,
                                  make_parser, note_of, run_benchmark)
from benchmarks.subjects import ARCHS, NUM_KEYPOINTS, LocalStep
from mmpose_raf.sizes import Size

DECONV_KERNEL = 4


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=3)
    parser.add_argument('--arch', choices=ARCHS, default='base')
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument(
        '--matrix', type=int, default=2048, help='side of the matrix product')
    return parser.parse_args(args)


def count_by_hand(model: torch.nn.Module, sizes: List[Size],
                  batch_size: int) -> Dict[str, int]:
    """FLOPs of forward and backward by part, in closed form.

    With N tokens of width C, L blocks, MLP width F and patches of P x P
    pixels, forward, for each image: linear layers 2 N C (4 C + 2 F) L,
    attention 4 N^2 C L, patch embedding 2 N C 3 P^2, LPE 2 N C 9 L; GPE
    2 N C 9 once a batch; a deconvolution of kernel k 2 k^2 C_in C_out for
    each of its input's pixels; the last convolution 2 C_in K for each of its
    own. Backward is twice that: one product for the gradient of the input and
    one for the weights', but the image and the sine grid have no gradient.

    Args:
        model (RAFPoseEstimator): With a backbone without class token.
        sizes (list[tuple[int, int]]): Input sizes (w, h) of the levels.
        batch_size (int): Images in a batch.
    """
    parts: Dict[str, int] = {}
    for width, height in sizes:
        patch = model.backbone.patch_size
        tokens = (width // patch) * (height // patch)
        for name, flops in _forward(model, tokens).items():
            has_gradient = name not in ('patch embedding', 'GPE')
            images = 1 if name == 'GPE' else batch_size
            total = flops * images * (3 if has_gradient else 2)
            parts[name] = parts.get(name, 0) + total
    return parts


def _forward(model: torch.nn.Module, tokens: int) -> Dict[str, int]:
    """FLOPs of one image's forward pass."""
    backbone = model.backbone
    channels, depth = backbone.embed_dims, len(backbone.layers)
    mlp = backbone.layers[0].ffn.feedforward_channels
    patch = backbone.patch_size
    parts = {
        'linear': 2 * tokens * channels * (4 * channels + 2 * mlp) * depth,
        'attention': 4 * tokens**2 * channels * depth,
        'patch embedding': 2 * tokens * channels * 3 * patch**2,
        'LPE': 2 * tokens * channels * 9 * depth,
        'GPE': 2 * tokens * channels * 9,
        'deconvolutions': 0
    }
    pixels, width = tokens, channels
    for layer in model.head.deconv_layers:
        if isinstance(layer, torch.nn.ConvTranspose2d):
            parts['deconvolutions'] += (2 * DECONV_KERNEL**2 * width *
                                        layer.out_channels * pixels)
            pixels, width = 4 * pixels, layer.out_channels
    parts['last convolution'] = 2 * width * NUM_KEYPOINTS * pixels
    return parts


def count_by_torch(step: LocalStep) -> int:
    """FLOPs of forward and backward by torch's counter."""
    # It does not know the CPU's fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(
            display=False) as counter:
        step.forward().backward()
    step.optim_wrapper.zero_grad()
    return counter.get_total_flops()


def overcount(model: torch.nn.Module, sizes: List[Size],
              batch_size: int) -> int:
    """What torch counts too much: groups in the gradient of weights."""
    excess = 0
    backbone = model.backbone
    for width, height in sizes:
        tokens = (width // backbone.patch_size) * (
            height // backbone.patch_size)
        once = 2 * tokens * 9  # of one channel with itself
        # LPE in each block and for each image, GPE once.
        convolutions = len(backbone.layers) * batch_size + 1
        excess += (backbone.embed_dims -
                   1) * backbone.embed_dims * once * convolutions
    return excess


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    rows = []
    for amp in options.amp:
        rows += measure_use(options, amp, device)
    return rows


def measure_use(options, amp: str, device: torch.device) -> List[Row]:
    """Rows of one precision."""
    step = LocalStep(options.arch, 3, amp, options.batch_size, device)
    parts = count_by_hand(step.model, step.levels, options.batch_size)
    needed = sum(parts.values())
    counted = count_by_torch(step)
    excess = overcount(step.model, step.levels, options.batch_size)
    name = f'{options.arch} {amp} step'
    rows = [
        Row(f'{name}, {part}', flops / 1e9, 'GFLOP')
        for part, flops in parts.items()
    ]
    rows += [
        Row(f'{name}, by hand', needed / 1e9, 'GFLOP'),
        Row(f'{name}, by torch', counted / 1e9, 'GFLOP'),
        Row(f'{name}, by torch without the excess on groups',
            (counted - excess) / 1e9, 'GFLOP',
            f'less by hand: {counted - excess - needed} FLOP')
    ]
    side, dtype = options.matrix, DTYPES[amp]
    first = torch.randn(side, side, device=device).to(dtype)
    second, out = torch.randn_like(first), torch.empty_like(first)
    timings = alternate(
        {
            'step': step,
            'matrix product': lambda: torch.mm(first, second, out=out)
        },
        device,
        options.repeats,
        warmup=2)
    seconds = timings['step'].seconds
    rate = 2 * side**3 / timings['matrix product'].seconds
    rows += [
        Row(f'{name}, time', 1e3 * seconds, 'ms', note_of(timings['step'])),
        Row(f'{name}, rate', needed / seconds / 1e9, 'GFLOP/s'),
        Row(f'{amp} matrix product {side}, rate', rate / 1e9, 'GFLOP/s',
            note_of(timings['matrix product'])),
        Row(f'{name}, MFU', 100 * needed / seconds / rate, '%')
    ]
    return rows


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
