# Features of the first two blocks follow those of the round's global model.
_base_ = '../raf_demo.py'

federation = dict(local_objective=dict(type='FeatureAlignment', mu=0.1))
