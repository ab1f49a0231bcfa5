# SCAFFOLD: control variates against the drift of the clients. They are made
# for SGD; with AdamW, which a ViT needs, it is a heuristic.
_base_ = '../raf_demo.py'

federation = dict(local_objective=dict(type='SCAFFOLD'))
