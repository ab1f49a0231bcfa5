# FedAvg as in its paper: the mean of the clients, weighted by their samples.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='FedAvg', weighting='samples'))
