# RAF on rendered people, small enough for two CPU cores: three clients with
# 400 persons each.
_base_ = ['_base_/synthetic.py', '_base_/small_raf.py']

train_cfg = dict(by_epoch=True, max_epochs=24, val_interval=4)
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='FederatedHook'),
    dict(type='FeatureMovementHook')
]
