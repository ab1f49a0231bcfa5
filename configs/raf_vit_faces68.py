# Faces with 68 landmarks (300-W order), square crops. The box decides which
# client holds a face: its camera delivers at least that resolution.
_base_ = ['_base_/default_runtime.py', '_base_/raf_vitpose.py']

data_root = 'data/faces68/'
ladder = [(128, 128), (96, 96), (64, 64)]
codec = dict(
    type='UDPHeatmap', input_size=(128, 128), heatmap_size=(32, 32), sigma=1.5)

model = dict(
    ladder=ladder,
    backbone=dict(arch='small', img_size=(128, 128), drop_path_rate=0.1),
    head=dict(
        in_channels=384,
        out_channels=68,
        sigma_mode='relative',
        decoder=dict(_delete_=True, **codec)))

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(
        type='RandomBBoxTransform',
        shift_prob=0.,
        scale_factor=(0.75, 1.25),
        rotate_factor=30.),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs', pack_transformed=True)
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size'], use_udp=True),
    dict(type='PackPoseInputs')
]
train_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='Face300WDataset',
        data_root=data_root,
        data_mode='topdown',
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='Face300WDataset',
        data_root=data_root,
        data_mode='topdown',
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    type='NME', norm_mode='keypoint_distance')
test_evaluator = val_evaluator

train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=5)
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.1),
    clip_grad=dict(max_norm=1., norm_type=2))
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.001,
        begin=0,
        end=1,
        by_epoch=True,
        convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1, end=60, T_max=59, by_epoch=True)
]

custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(
        type='FederatedHook',
        clients=[
            dict(name='high', input_size=(128, 128)),
            dict(name='mid', input_size=(96, 96)),
            dict(name='low', input_size=(64, 64))
        ],
        partitioner=dict(type='NativeResolutionPartitioner'),
        aggregator=dict(type='FedAvg'))
]
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))
