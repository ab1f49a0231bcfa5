"""``mmpose-raf export-onnx`` as a script."""

import sys

from mmpose_raf.__main__ import main

if __name__ == '__main__':
    sys.exit(main(['export-onnx', *sys.argv[1:]]))
