"""``mmpose-raf one-shot`` as a script."""

import sys

from mmpose_raf.__main__ import main

if __name__ == '__main__':
    sys.exit(main(['one-shot', *sys.argv[1:]]))
