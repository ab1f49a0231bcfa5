# Each client has a head of its own; the backbone is shared.
_base_ = '../raf_demo.py'

federation = dict(local_params=['head.*'])
