# How many levels below the native size.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    encoding=dict(gpe_lpe={{_base_.encodings.gpe_lpe}}),
    levels={
        f'levels{count}': [{{_base_.trainings.distilled}}, {
            'model.ladder': [(96, 128), (72, 96), (48, 64)][:count]
        }]
        for count in (1, 2, 3)
    })
