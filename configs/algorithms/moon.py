# MOON: features are pulled to those of the global model, away from the last
# local one.
_base_ = '../raf_demo.py'

federation = dict(local_objective=dict(type='MOON', mu=0.01, temperature=0.5))
