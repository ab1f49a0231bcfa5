# FedDisco: clients whose resolutions are far from those of all count less.
_base_ = '../raf_demo.py'

federation = dict(
    aggregator=dict(
        type='DiscrepancyAware',
        distribution='resolution',
        a=0.1,
        target='mean'))
