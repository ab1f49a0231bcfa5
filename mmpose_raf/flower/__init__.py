"""A federation of real clients, over the network, with Flower (flwr).

Nothing else in the package imports this one. Server and clients read the same
config as the simulation and come to the same weights; Flower moves the
messages, :mod:`mmpose_raf.federation` renews the weights.
"""

from importlib.util import find_spec

from mmpose_raf.errors import ConfigError

if find_spec('flwr') is None:
    raise ConfigError('flwr', 'Flower is not installed',
                      "install it with `pip install 'mmpose_raf[flower]'`, "
                      'which needs Python 3.11 or newer')
