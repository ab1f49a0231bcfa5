# FedYogi: Yogi on the server, on the mean update.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='FedYogi', server_lr=0.01))
