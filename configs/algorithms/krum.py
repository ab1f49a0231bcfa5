# Krum: the one client nearest to the others. One broken client takes five.
_base_ = '../raf_demo.py'

clients = [
    dict(name=f'client{number}', input_size=size)
    for number, size in enumerate([(96, 128), (96, 128), (72, 96), (48, 64),
                                   (48, 64)])
]

federation = dict(
    clients=clients,
    aggregator=dict(type='Krum', num_broken=1))
