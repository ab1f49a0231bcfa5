# FedLAW: weights and shrinkage, tuned on samples that the server holds.
_base_ = '../raf_demo.py'

federation = dict(
    aggregator=dict(
        type='LearnableWeights', proxy_samples=48, steps=10, server_lr=0.05))
