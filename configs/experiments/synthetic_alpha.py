# How much distillation: alpha from none to the authors' 1.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    alpha={
        f'alpha{alpha}': {
            'model.distill':
            dict(
                type='MultiResolutionDistillLoss',
                alpha=alpha,
                resize='bilinear')
        }
        for alpha in (0.03, 0.1, 0.3, 1.)
    })
