# The schedule of RAF's paper: 211 rounds of one local epoch, batch 32 per
# client, one round of warm-up, x0.1 at rounds 170 and 200.
train_cfg = dict(by_epoch=True, max_epochs=211, val_interval=10)

optim_wrapper = dict(
    constructor='ViTLayerDecayOptimWrapperConstructor',
    optimizer=dict(
        type='AdamW', lr=5e-4, betas=(0.9, 0.999), weight_decay=0.1),
    paramwise_cfg=dict(layer_decay_rate=0.75),
    clip_grad=dict(max_norm=0.003, norm_type=2))

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.001,
        begin=0,
        end=1,
        by_epoch=True,
        convert_to_iter_based=True),
    dict(
        type='MultiStepLR',
        begin=0,
        end=211,
        milestones=[170, 200],
        gamma=0.1,
        by_epoch=True)
]
auto_scale_lr = dict(base_batch_size=32)
