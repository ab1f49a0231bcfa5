# FedRolex: the weak client trains half of the channels of each layer, in every
# round the next ones, and with them all in turn. Moments belong to a channel,
# and start anew.
_base_ = 'heterofl.py'

federation = dict(aggregator=dict(type='FedRolex'), optimizer_state='reset')
