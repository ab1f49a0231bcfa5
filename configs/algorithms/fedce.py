# FedCE: who adds most to the others counts most.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='ContributionFair', proxy_samples=48))
