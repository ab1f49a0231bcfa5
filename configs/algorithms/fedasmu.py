# Asynchronous clients of different speed, with the server rule of FedASMU: the
# older the weights that an update started from, the less it counts.
_base_ = '../raf_demo.py'

clients = [
    dict(name='high', input_size=(96, 128), samples_per_second=30.),
    dict(name='mid', input_size=(72, 96), samples_per_second=80.),
    dict(name='low', input_size=(48, 64), samples_per_second=200.)
]

federation = dict(
    clients=clients,
    aggregator=dict(type='StalenessAware', iota=0.1))
