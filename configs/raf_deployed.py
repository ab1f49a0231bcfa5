# What `make federation` trains on three clients over the network: as
# raf_demo.py, with 80 rendered persons each and three rounds.
_base_ = ['raf_demo.py']

train_cfg = dict(max_epochs=3, val_interval=1)
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='FederatedHook')]
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(num_samples=240))
val_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(num_samples=60))
val_cfg = dict(
    type='MultiResolutionValLoop', input_sizes=[(48, 64), (72, 96), (96, 128)])
