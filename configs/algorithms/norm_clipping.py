# Updates of bounded length: no client can move the model far. In the demo each
# moves by 8 in an early round and by less than 1 in a late one.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='NormClipping', max_norm=2))
