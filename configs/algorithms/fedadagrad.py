# FedAdagrad: Adagrad on the server, on the mean update.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='FedAdagrad', server_lr=0.01))
