# FedProx: each client is pulled back to the global weights.
_base_ = '../raf_demo.py'

federation = dict(local_objective=dict(type='FedProx', mu=0.01))
