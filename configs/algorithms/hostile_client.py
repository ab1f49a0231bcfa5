# One hostile client of five, and what bears it: it puts a patch into half of
# its images, moves the nose there, and sends three times what it has learned.
_base_ = '../raf_demo.py'

clients = [
    dict(name='high', input_size=(96, 128)),
    dict(name='high2', input_size=(96, 128)),
    dict(name='mid', input_size=(72, 96)),
    dict(name='low', input_size=(48, 64)),
    dict(
        name='hostile',
        input_size=(48, 64),
        attack=[
            dict(type='BackdoorPatch', joint=0, shift=(0.25, 0)),
            dict(type='ScaleUpdate', scale=3)
        ])
]
federation = dict(
    clients=clients,
    aggregator=dict(
        type='NormClipping', max_norm='median', then=dict(type='TrimmedMean')))
