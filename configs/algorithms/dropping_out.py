# Clients that come and go: the highest one in 7 rounds of 10, the lowest one
# in its own hours.
_base_ = '../raf_demo.py'

federation = dict(
    participation=dict(presence=dict(high=0.7, low=[(1, 4), (9, 24)])))
