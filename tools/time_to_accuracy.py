"""``mmpose-raf time-to-accuracy`` as a script."""

import sys

from mmpose_raf.__main__ import main

if __name__ == '__main__':
    sys.exit(main(['time-to-accuracy', *sys.argv[1:]]))
