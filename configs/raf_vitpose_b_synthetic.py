# raf_vitpose_b.py on rendered people: the full model without any data set, e.g.
# to try a GPU. Three clients with 512 persons each.
_base_ = ['raf_vitpose_b.py']

dataset_type = 'SyntheticPoseDataset'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        data_mode='topdown',
        type=dataset_type,
        num_samples=1536,
        seed=0,
        image_size=(480, 640),
        keep_images=True,
        pipeline={{_base_.train_pipeline}}))
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        data_mode='topdown',
        type=dataset_type,
        num_samples=128,
        seed=1,
        image_size=(480, 640),
        test_mode=True,
        pipeline={{_base_.val_pipeline}}))
test_dataloader = val_dataloader

val_evaluator = dict(
    _delete_=True, type='PCKAccuracy', thr=0.1, norm_item='bbox')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='PCK'))
