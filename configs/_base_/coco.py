# COCO 2017 keypoints. Validation uses the ground-truth boxes; for those of a
# detector set val_dataloader.dataset.bbox_file.
_base_ = ['topdown_data.py']

dataset_type = 'CocoDataset'
data_root = 'data/coco/'

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017/')))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017/')))
test_dataloader = val_dataloader

# The metric takes the annotation file from the dataset.
val_evaluator = dict(type='CocoMetric')
test_evaluator = val_evaluator
