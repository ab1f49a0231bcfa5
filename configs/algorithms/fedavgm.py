# FedAvgM: momentum on the server.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='FedAvgM', momentum=0.5))
