# RAF on COCO: ViTPose-B, three clients that hold a third of the persons each,
# at 256x192, 192x144 and 128x96 (HxW).
_base_ = [
    '_base_/default_runtime.py', '_base_/coco.py', '_base_/raf_vitpose.py',
    '_base_/raf_schedule.py'
]

custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(
        type='FederatedHook',
        clients=[
            dict(name='high', input_size=(192, 256)),
            dict(name='mid', input_size=(144, 192)),
            dict(name='low', input_size=(96, 128))
        ],
        partitioner=dict(type='RandomPartitioner'),
        aggregator=dict(type='FedAvg'))
]
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))

# MAE weights, as in the paper. Any ViT-B/16 of timm's or mmpretrain's naming
# loads; None starts from scratch.
model = dict(backbone=dict(init_cfg=None))
