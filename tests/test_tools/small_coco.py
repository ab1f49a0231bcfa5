"""A COCO folder and a config for it, small enough for a command line test."""

import json

import cv2
import numpy as np

CONFIG = '''
model = dict(
    type='RAFPoseEstimator',
    ladder=[(48, 64), (32, 48)],
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(
        type='RAFViT',
        arch=dict(
            embed_dims=16,
            num_layers=2,
            num_heads=2,
            feedforward_channels=32),
        drop_path_rate=.3),
    head=dict(
        type='AnyResolutionHeatmapHead',
        in_channels=16,
        out_channels=17,
        deconv_out_channels=(8, 8),
        deconv_kernel_sizes=(4, 4),
        decoder=dict(
            type='UDPHeatmap',
            input_size=(48, 64),
            heatmap_size=(12, 16),
            sigma=2)))
pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomBBoxTransform'),
    dict(type='TopdownAffine', input_size=(48, 64), use_udp=True),
    dict(type='PackPoseInputs')
]
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='CocoDataset',
        data_root={root!r},
        ann_file='people.json',
        data_prefix=dict(img='images/'),
        pipeline=pipeline))
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root={root!r},
        ann_file='people.json',
        data_prefix=dict(img='images/'),
        test_mode=True,
        pipeline=pipeline[:2] + pipeline[3:]))
test_dataloader = val_dataloader
val_evaluator = dict(type='CocoMetric', ann_file={root!r} + '/people.json')
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=2)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=.1, end=1, convert_to_iter_based=True)
]
randomness = dict(seed=0)
default_scope = 'mmpose'
default_hooks = dict(
    logger=dict(type='LoggerHook', interval=1),
    checkpoint=dict(type='CheckpointHook', interval=1),
    visualization=dict(type='PoseVisualizationHook', enable=False))
visualizer = dict(
    type='PoseLocalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
custom_hooks = [
    dict(
        type='FederatedHook',
        clients=[
            dict(name='high', input_size=(48, 64)),
            dict(name='low', input_size=(32, 48))
        ])
]
'''


def write_data(folder, num_images=7):
    """Write images of noise and persons in COCO's format."""
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, num_images + 1):
        name = f'{number}.png'
        image = rng.integers(256, size=(70, 60, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / name), image)
        images.append(dict(id=number, file_name=name, width=60, height=70))
        points = rng.integers(12, 48, size=(17, 2))
        annotations.append(
            dict(id=number,
                 image_id=number,
                 category_id=1,
                 iscrowd=0,
                 area=1600,
                 bbox=[10, 10, 40, 40],
                 num_keypoints=17,
                 keypoints=[
                     int(value) for x, y in points for value in (x, y, 2)
                 ]))
    names = [str(index) for index in range(17)]
    categories = [dict(id=1, name='person', keypoints=names, skeleton=[])]
    (folder / 'people.json').write_text(
        json.dumps(
            dict(info=dict(),
                 images=images,
                 annotations=annotations,
                 categories=categories)))


def write_config(path, root, more=''):
    """Write the config.

    Args:
        path (Path): Where to.
        root (Path): Folder of the data.
        more (str): Python code at the end, which may use the names
            ``train_data``, ``val_data`` and ``hook``.
    """
    short_names = '''
train_data, val_data = train_dataloader['dataset'], val_dataloader['dataset']
hook = custom_hooks[0]
''' if more else ''
    path.write_text(
        CONFIG.replace('{root!r}', repr(str(root))) + short_names + more)
    return path
