# L-DAWA: each layer of a client counts by its cosine with the global one.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='LayerwiseDivergenceAware'))
