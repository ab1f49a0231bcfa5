# FRL: clients rank the edges of one random network, the server counts votes.
# What was drawn once is never sent. Scores take longer steps than weights.
_base_ = '../raf_demo.py'

model = dict(type='RankedPoseEstimator', keep=0.5)
optim_wrapper = dict(optimizer=dict(lr=1e-2))
federation = dict(
    aggregator=dict(type='RankingVote'),
    local_params=['*.original', '*.weight', '*.bias'])
