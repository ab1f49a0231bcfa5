# Trimmed mean: one broken client at each end of every coordinate.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='TrimmedMean', trim=1))
