# How many levels below the native size.
_base_ = ['_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    levels={
        f'levels{count}': {
            'model.ladder': [(96, 128), (72, 96), (48, 64)][:count]
        }
        for count in (1, 2, 3)
    })
