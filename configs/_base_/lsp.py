# Leeds Sports Pose (extended): people in sports, 14 keypoints, one person an
# image, COCO's format. The last 500 training images are the validation set,
# so that the test set is not what a setting is chosen by.
_base_ = ['topdown_data.py']

dataset_type = 'CocoDataset'
data_root = 'data/lsp/'
metainfo = dict(from_file=data_root + 'metainfo.py')
input_size = (96, 128)
num_train = 4000

train_pipeline = [
    dict(type='CachedLoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal', prob=0.5),
    dict(
        type='RandomBBoxTransform',
        shift_prob=0.,
        scale_factor=(0.75, 1.25),
        rotate_factor=30.),
    dict(type='TopdownAffine', input_size=input_size, use_udp=True),
    dict(type='PackPoseInputs', pack_transformed=True)
]
val_pipeline = [
    dict(type='CachedLoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=input_size, use_udp=True),
    dict(type='PackPoseInputs')
]
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
        indices=num_train,
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/train.json',
        data_prefix=dict(img='images/'),
        indices=list(range(num_train, 4500)),
        pipeline=val_pipeline))
test_dataloader = dict(
    num_workers=1,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        metainfo=metainfo,
        ann_file='annotations/val.json',
        data_prefix=dict(img='images/'),
        pipeline=val_pipeline))

val_evaluator = dict(type='PCKAccuracy', thr=0.1, norm_item='bbox')
test_evaluator = val_evaluator
