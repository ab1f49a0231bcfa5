# RAF as published: GPE and LPE, all levels of a batch, each of which counts the
# same, the next higher one teaches, and sigma is the same in every heatmap.
_base_ = ['raf_vitpose.py']

model = dict(
    levels='all',
    upward=False,
    distill=dict(
        _delete_=True,
        type='MultiResolutionDistillLoss',
        alpha=1.,
        teacher='next',
        resize='nearest'),
    backbone=dict(pos_embed='gpe', lpe=True),
    head=dict(sigma_mode='pixel'),
    test_cfg=dict(fit_to_ladder=None))
