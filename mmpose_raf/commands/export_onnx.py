"""Write a trained model as an ONNX file, check it, and tell its speed.

    mmpose-raf export-onnx CONFIG CHECKPOINT -o pose.onnx

The file takes any batch, height and width. It normalises images and decodes
keypoints itself unless told otherwise, describes itself in its metadata, and
is written only if it gives what the model gives.
"""

import argparse
from pathlib import Path
from typing import Sequence

from mmpose_raf.export import export_onnx
from mmpose_raf.export.onnx_check import Comparison
from mmpose_raf.sizes import parse_size, size_name
from mmpose_raf.tables import render_table


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('config', type=Path, help='config of the model')
    parser.add_argument('checkpoint', type=Path, help='its checkpoint')
    parser.add_argument(
        '-o',
        '--out',
        required=True,
        type=Path,
        metavar='FILE',
        help='where to write the ONNX file')
    parser.add_argument(
        '--no-preprocess',
        action='store_true',
        help='take normalised images (B, 3, H, W), float32, rather than BGR '
        'images (B, H, W, 3), uint8')
    parser.add_argument(
        '--no-decode',
        action='store_true',
        help='give heatmaps only, without keypoints and scores')
    parser.add_argument(
        '--input-sizes',
        nargs='+',
        default=[],
        metavar='HxW',
        help='sizes at which the file is checked (default: those of training '
        'and one beside)')


def main(arguments: argparse.Namespace):
    """Export, and print the comparison with the model."""
    comparisons = export_onnx(
        arguments.config,
        arguments.checkpoint,
        arguments.out,
        preprocess=not arguments.no_preprocess,
        decode=not arguments.no_decode,
        input_sizes=[
            parse_size(text, '--input-sizes')
            for text in arguments.input_sizes
        ])
    print(tabulate_comparisons(comparisons))
    print(f'ONNX file: {arguments.out}')


def tabulate_comparisons(comparisons: Sequence[Comparison]) -> str:
    """Lay out what :func:`export_onnx` has found.

    Args:
        comparisons (list[Comparison]): One for each size.
    """
    head = ('input', 'heatmaps differ by', 'keypoints by (px)',
            'onnxruntime (ms)', 'torch (ms)')
    rows = []
    for found in comparisons:
        moved = found.keypoint_difference
        rows.append((size_name(found.size), f'{found.heatmap_difference:.1e}',
                     '' if moved is None else f'{moved:.1e}',
                     f'{found.onnxruntime_ms:.1f}', f'{found.torch_ms:.1f}'))
    return render_table(head, rows)
