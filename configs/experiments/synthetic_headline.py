# FedAvg and RAF in the federation of three clients (high, mid, low):
#   python tools/run_experiments.py configs/experiments/synthetic_headline.py
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
seeds = [0, 1, 2]
axes = dict(
    training=dict(
        fedavg={{_base_.trainings.fedavg}},
        raf={{_base_.trainings.raf}},
        paper={{_base_.trainings.paper}}))
