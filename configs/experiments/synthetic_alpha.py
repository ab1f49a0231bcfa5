# How much distillation: alpha from none to the authors' 1.
_base_ = ['_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    alpha={
        f'alpha{alpha}': {
            'model.distill.alpha': alpha
        }
        for alpha in (0., 0.1, 0.3, 1.)
    })
