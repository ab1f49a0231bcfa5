# Loss-aware weights, from FedVSR: clients of low loss count more at first.
_base_ = '../raf_demo.py'

federation = dict(
    aggregator=dict(
        type='LossAware', num_rounds={{_base_.train_cfg.max_epochs}}))
