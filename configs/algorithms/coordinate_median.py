# Coordinate-wise median: bears a minority of broken clients.
_base_ = '../raf_demo.py'

federation = dict(aggregator=dict(type='CoordinateMedian'))
