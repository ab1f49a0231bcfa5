# AdamW, one round of warm-up, then a cosine down to zero at the last round.
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
    dict(type='CosineAnnealingLR', by_epoch=True)
]
