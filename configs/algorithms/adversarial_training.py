# FAL: each client trains on half of its images as PGD has changed them, by up
# to 4 of 255. PGDHook, in custom_hooks, evaluates on such images.
_base_ = '../raf_demo.py'

federation = dict(
    local_defence=dict(
        type='AdversarialTraining', eps=4, step_size=2, steps=3, share=0.5))
