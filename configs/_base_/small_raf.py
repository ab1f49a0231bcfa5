# RAF small enough for a CPU core: a ViT of 4 blocks from scratch, patches of 8
# pixels, three clients. Sizes are (w, h) in pixels.
_base_ = ['default_runtime.py', 'raf_vitpose.py', 'cosine_schedule.py']

ladder = [(96, 128), (72, 96), (48, 64)]
federation = dict(
    clients=[
        dict(name=name, input_size=size)
        for name, size in zip(('high', 'mid', 'low'), ladder)
    ],
    partitioner=dict(type='RandomPartitioner'))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='FederatedHook')]

model = dict(
    ladder=ladder,
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=96,
            num_layers=4,
            num_heads=4,
            feedforward_channels=384),
        patch_size=8,
        img_size=(128, 96),
        drop_path_rate=0.),
    head=dict(
        in_channels=96,
        deconv_out_channels=(96, ),
        deconv_kernel_sizes=(4, ),
        decoder=dict(
            input_size=(96, 128), heatmap_size=(24, 32), sigma=1.5)))

optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.05))
# Sizes of the ladder and others.
test_cfg = dict(
    type='MultiResolutionTestLoop',
    input_sizes=[(24, 32), (48, 64), (72, 96), (96, 128), (120, 160),
                 (144, 192), (192, 256)])
