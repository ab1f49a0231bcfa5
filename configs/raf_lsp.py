# RAF on photographs of people in sports, three clients with 600 persons each.
_base_ = ['_base_/lsp.py', '_base_/small_raf.py']

model = dict(head=dict(out_channels=14))

train_cfg = dict(by_epoch=True, max_epochs=40, val_interval=40)
federation = dict(partitioner=dict(samples_per_client=600))
