# The paper's federation: high, mid and low; sizes are (w, h) in pixels.
_base_ = ['default_runtime.py']

custom_hooks = [dict(type='SyncBuffersHook'), dict(type='FederatedHook')]
federation = dict(
    clients=[
        dict(name='high', input_size=(192, 256)),
        dict(name='mid', input_size=(144, 192)),
        dict(name='low', input_size=(96, 128))
    ],
    partitioner=dict(type='RandomPartitioner'),
    # Three clients fit beside the model: nothing waits for the host.
    execution=dict(state_device='model'))
