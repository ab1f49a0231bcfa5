# How much distillation: alpha from none to the authors' 1.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    encoding=dict(gpe_lpe={{_base_.encodings.gpe_lpe}}),
    alpha={
        f'alpha{alpha}':
        [{{_base_.trainings.distilled}}, {
            'model.distill.alpha': alpha
        }]
        for alpha in (0., 0.1, 0.3, 1.)
    })
