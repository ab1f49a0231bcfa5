# FedRolex: the weak client trains half of the channels of each layer, in every
# round the next ones, and with them all in turn. Moments belong to a channel,
# and start anew.
_base_ = '../raf_demo.py'

federation = dict(
    clients=[
        dict(name='high', input_size=(96, 128)),
        dict(name='mid', input_size=(72, 96)),
        dict(name='low', input_size=(48, 64), width=0.5)
    ],
    aggregator=dict(type='FedRolex'),
    optimizer_state='reset')
