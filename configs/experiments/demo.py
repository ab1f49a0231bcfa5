# Stock ViTPose under FedAvg, FedAvg with the encoding and the targets of RAF's
# default, and the default, in the same federation and for the same computation:
#   python tools/run_experiments.py configs/experiments/demo.py --jobs 2
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
_short = {'train_cfg.max_epochs': 12}
axes = dict(
    training=dict(
        stock=[
            {{_base_.encodings.ape}}, {{_base_.trainings.fedavg_pixel}}, _short
        ],
        FedAvg=[{{_base_.fourier}}, {{_base_.trainings.fedavg}}, _short],
        RAF=[
            {{_base_.fourier}}, {{_base_.trainings.one_upward}},
            {{_base_.fitted}}, _short
        ]))
