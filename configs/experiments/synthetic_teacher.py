# Who teaches whom, and at whose size.
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    encoding=dict(gpe_lpe={{_base_.encodings.gpe_lpe}}),
    training=dict(distilled={{_base_.trainings.distilled}}),
    teacher={
        teacher: {
            'model.distill.teacher': teacher
        }
        for teacher in ('next', 'highest')
    },
    resize={
        resize: {
            'model.distill.resize': resize
        }
        for resize in ('nearest', 'bilinear', 'teacher')
    })
