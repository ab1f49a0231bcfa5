# The paper's main setting: MPII, ViT-S, three clients of 4,000 persons each.
_base_ = [
    '_base_/mpii.py', '_base_/paper_losses.py', '_base_/raf_schedule.py',
    '_base_/three_clients.py'
]

model = dict(
    backbone=dict(arch='small', drop_path_rate=0.1),
    head=dict(in_channels=384, out_channels=16))
optim_wrapper = dict(optimizer=dict(lr=2.5e-4))

federation = dict(partitioner=dict(samples_per_client=4000))
default_hooks = dict(checkpoint=dict(save_best='PCK', rule='greater'))
