# Multi-Krum: the mean of the three clients nearest to the others.
_base_ = 'krum.py'

federation = dict(aggregator=dict(type='MultiKrum', num_broken=1, keep=3))
