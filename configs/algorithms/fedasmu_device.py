# FedASMU with its device side: half-way through its training a client takes in
# the global weights of that moment, with a share that it learns.
_base_ = 'fedasmu.py'

federation = dict(local_objective=dict(type='FreshModel', control_lr=0.01))
