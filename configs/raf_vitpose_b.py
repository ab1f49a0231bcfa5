# RAF on COCO: ViTPose-B, three clients that hold a third of the persons each,
# at 256x192, 192x144 and 128x96 (HxW).
_base_ = [
    '_base_/coco.py', '_base_/raf_vitpose.py', '_base_/raf_schedule.py',
    '_base_/three_clients.py'
]

# From scratch. For MAE weights, as in the paper, or any other plain ViT-B/16
# of MMPose, mmpretrain, timm or transformers (.pth, .bin, .safetensors):
# model.backbone.init_cfg = dict(type='Pretrained', checkpoint='path or URL')
# With model.backbone.pos_embed = 'ape' their position embedding is kept.
default_hooks = dict(checkpoint=dict(save_best='coco/AP', rule='greater'))
