# FedMITR: every client trains for 24 rounds by itself and sends its model
# once; `mmpose-raf one-shot`, not `train`, does that.
_base_ = '../raf_demo.py'

one_shot = dict(
    num_images=256,
    inversion=dict(steps=120, keep=(0.75, 0.5)),
    labels='relabel',
    distillation=dict(epochs=20))
