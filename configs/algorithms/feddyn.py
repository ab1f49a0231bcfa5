# FedDyn: a dynamic regulariser, whose state is the size of the model.
_base_ = '../raf_demo.py'

federation = dict(local_objective=dict(type='FedDyn', alpha=0.01))
