"""The command line: ``mmpose-raf COMMAND``, ``python -m mmpose_raf COMMAND``.
"""

import argparse
import sys
from importlib import import_module
from typing import List, Optional

from mmpose_raf.command_line import exit_code
from mmpose_raf.commands import COMMANDS
from mmpose_raf.version import __version__


def main(arguments: Optional[List[str]] = None) -> int:
    """Run a command.

    Args:
        arguments (list[str], optional): The command and its arguments.
            Defaults to those of the process.

    Returns:
        int: The exit code.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    parser = argparse.ArgumentParser(
        prog='mmpose-raf',
        description='Resolution-adaptive federated learning for MMPose.',
        epilog='`mmpose-raf COMMAND --help` shows the options of a command.')
    parser.add_argument('--version',
                        action='version',
                        version=f'mmpose_raf {__version__}')
    parsers = parser.add_subparsers(metavar='COMMAND', required=True)
    for name, summary in COMMANDS.items():
        command_parser = parsers.add_parser(
            name,
            help=summary,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        if name in arguments[:1]:
            command = import_module(
                f'mmpose_raf.commands.{name.replace("-", "_")}')
            command_parser.description = command.__doc__
            command.add_arguments(command_parser)
            command_parser.add_argument(
                '--traceback',
                action='store_true',
                help='show where an error comes from')
    args = parser.parse_args(arguments)
    return exit_code(command.main, args, shows_traceback=args.traceback)


if __name__ == '__main__':
    sys.exit(main())
