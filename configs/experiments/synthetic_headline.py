# The published method, FedAvg with its encodings, and the ladder with a little
# distillation, in the federation of three clients (high, mid, low):
#   python tools/run_experiments.py configs/experiments/synthetic_headline.py
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
seeds = [0, 1, 2]
axes = dict(
    encoding=dict(gpe_lpe={{_base_.encodings.gpe_lpe}}),
    training=dict(
        fedavg={{_base_.trainings.fedavg}},
        distilled={{_base_.trainings.distilled}},
        paper={{_base_.trainings.paper}}))
