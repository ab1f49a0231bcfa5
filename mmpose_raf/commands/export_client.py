"""Write the model of one client as a checkpoint for MMPose's tools.

For federations whose clients keep layers of their own
(``federation.local_params``, e.g. FedBN), or hold a part of the model
(``width``, e.g. HeteroFL), whose config is written beside it:

    mmpose-raf export-client work_dirs/fedbn/epoch_24.pth low -o low.pth
"""

import argparse
from pathlib import Path

from mmpose_raf.engine.client_export import export_client


def add_arguments(parser: argparse.ArgumentParser):
    """Add the arguments of the command."""
    parser.add_argument('checkpoint', type=Path, help='of the federated run')
    parser.add_argument('client', help='name of the client')
    parser.add_argument('-o',
                        '--out',
                        required=True,
                        type=Path,
                        metavar='FILE',
                        help='where to write the checkpoint')


def main(arguments: argparse.Namespace):
    """Export."""
    written = export_client(arguments.checkpoint, arguments.client,
                            arguments.out)
    print(f'Model of client {arguments.client}: '
          f'{", ".join(map(str, written))}')
