# Client-level differential privacy: each client's update is clipped and noise
# hides whether it was there. With three clients the noise outweighs what they
# teach; it is made for hundreds. Needs `pip install 'mmpose_raf[privacy]'`.
_base_ = '../raf_demo.py'

federation = dict(
    aggregator=dict(
        type='DPFedAvg', clip_norm=2., noise_multiplier=1., num_clients=3),
    # BatchNorm's statistics would be released without noise.
    local_params='norm')
