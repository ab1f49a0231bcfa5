# RAF as published: every level counts the same, the next higher level teaches,
# and sigma is the same in every heatmap.
_base_ = ['raf_vitpose.py']

model = dict(
    level_weights='uniform',
    distill=dict(alpha=1., teacher='next', resize='nearest'),
    head=dict(sigma_mode='pixel'))
