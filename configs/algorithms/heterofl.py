# HeteroFL: the client of low resolution is weak, too, and trains the leading
# half of the channels of each layer. tools/export_client.py writes its model.
_base_ = '../raf_demo.py'

federation = dict(
    clients=[
        dict(name='high', input_size=(96, 128)),
        dict(name='mid', input_size=(72, 96)),
        dict(name='low', input_size=(48, 64), width=0.5)
    ],
    aggregator=dict(type='HeteroFL'))
