# Faces at three resolutions. The face's real size decides which client holds
# it: its camera delivers at least that resolution.
_base_ = [
    '_base_/default_runtime.py', '_base_/faces68.py', '_base_/raf_vitpose.py',
    '_base_/cosine_schedule.py'
]

ladder = [(128, 128), (96, 96), (64, 64)]

model = dict(
    ladder=ladder,
    backbone=dict(arch='small', img_size=(128, 128), drop_path_rate=0.1),
    head=dict(
        in_channels=384,
        out_channels=68,
        decoder=dict(
            input_size=(128, 128), heatmap_size=(32, 32), sigma=1.5)))

train_cfg = dict(by_epoch=True, max_epochs=60, val_interval=5)
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='FederatedHook')]
federation = dict(
    clients=[
        dict(name=name, input_size=size)
        for name, size in zip(('high', 'mid', 'low'), ladder)
    ],
    partitioner=dict(type='NativeResolutionPartitioner'),
    # Three clients fit beside the model: nothing waits for the host.
    execution=dict(state_device='model'))
default_hooks = dict(checkpoint=dict(save_best='NME', rule='less'))
