# Rendered people with COCO's 17 keypoints: no files, no download. Training
# images are rendered small, because nothing larger than the ladder is cropped
# from them; those of validation are sharp up to 512x384. No augmentation but
# flips: every person is new, and the runs are short.
_base_ = ['topdown_data.py']

dataset_type = 'SyntheticPoseDataset'
input_size = (96, 128)

train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(type='TopdownAffine', input_size=input_size, use_udp=True),
    dict(type='PackPoseInputs', pack_transformed=True)
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=input_size, use_udp=True),
    dict(type='PackPoseInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        num_samples=1200,
        seed=0,
        image_size=(240, 320),
        keep_images=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        num_samples=200,
        seed=1,
        pipeline=val_pipeline))
test_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        num_samples=500,
        seed=2,
        pipeline=val_pipeline))

val_evaluator = dict(type='PCKAccuracy', thr=0.1, norm_item='bbox')
test_evaluator = val_evaluator
