# A stock MMPose config made federated: the import and one hook.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_hrnet-w32_8xb64-210e_coco-256x192.py'
]

custom_imports = dict(imports=['mmpose_raf'], allow_failed_imports=False)
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='FederatedHook')]
federation = dict(
    # HRNet wants multiples of 32.
    clients=[
        dict(name='high', input_size=(288, 384)),
        dict(name='mid', input_size=(192, 256)),
        dict(name='low', input_size=(96, 128))
    ])
# Ground-truth boxes, as in the other configs.
val_dataloader = dict(dataset=dict(bbox_file=None))
test_dataloader = val_dataloader
