# FedAvg and RAF in the same federation, for the same rounds:
#   python tools/run_experiments.py configs/experiments/demo.py
_base_ = ['_base_/trainings.py', '_base_/synthetic_sizes.py']

base = '../raf_demo.py'
axes = dict(
    training=dict(
        FedAvg={{_base_.trainings.fedavg}}, RAF={{_base_.trainings.raf}}))
