# What a study on one CPU core makes smaller. Fields are replaced, not merged.
# A ViT 64 wide takes about half the time of the configs' 96; the one core
# loads the images as well, and the flip test would double the test.
vit64 = {
    'model.backbone.arch':
    dict(embed_dims=64, num_layers=4, num_heads=4, feedforward_channels=256),
    'model.head.in_channels':
    64,
    'model.head.deconv_out_channels': (64, ),
    'model.test_cfg.flip_test':
    False,
    'train_dataloader.num_workers':
    0,
    'train_dataloader.persistent_workers':
    False,
    'val_dataloader.num_workers':
    0,
    'val_dataloader.persistent_workers':
    False,
    'test_dataloader.num_workers':
    0,
    'test_dataloader.persistent_workers':
    False
}
# No augmentation but flips: the runs are short.
_flips = [
    dict(type='CachedLoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(type='TopdownAffine', input_size=(96, 128), use_udp=True),
    dict(type='PackPoseInputs', pack_transformed=True)
]
# 400 persons a client from scratch, 24 rounds.
scratch = {
    'train_dataloader.dataset.pipeline': _flips,
    'federation.partitioner.samples_per_client': 400,
    'train_cfg.max_epochs': 24,
    'train_cfg.val_interval': 24
}
# LSP's validation persons: what settings are chosen by.
validation = {
    'test_dataloader.dataset.ann_file': 'annotations/train.json',
    'test_dataloader.dataset.indices': list(range(4000, 4500))
}
# From pre-training on rendered people (people_pretraining.py): 300 persons a
# client, 12 rounds.
finetuning = {
    'train_dataloader.dataset.pipeline': _flips,
    'federation.partitioner.samples_per_client': 300,
    'train_cfg.max_epochs': 12,
    'train_cfg.val_interval': 12,
    'optim_wrapper.optimizer.lr': 1e-3
}
# Rendered people in one place, at the highest size, turned by up to 60
# degrees, as people in sports are.
pretraining = {
    'train_dataloader.dataset.num_samples':
    1500,
    'train_dataloader.dataset.pipeline': [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='RandomFlip', direction='horizontal', prob=0.5),
        dict(
            type='RandomBBoxTransform',
            shift_prob=0.,
            scale_prob=0.,
            rotate_factor=60.,
            rotate_prob=0.8),
        dict(type='TopdownAffine', input_size=(96, 128), use_udp=True),
        dict(type='PackPoseInputs', pack_transformed=True)
    ],
    'test_dataloader.dataset.num_samples':
    200,
    'federation.clients': [dict(name='central', input_size=(96, 128))],
    'train_cfg.max_epochs':
    12,
    'train_cfg.val_interval':
    12
}
