# Every image enlarged to the highest size, for training and prediction: what
# MMPose does with small persons. A batch costs 1.66 of what it costs at the
# clients' own sizes.
one_size = {
    'federation.clients': [
        dict(name='high', input_size=(96, 128)),
        dict(name='mid', input_size=(96, 128), capture_size=(72, 96)),
        dict(name='low', input_size=(96, 128), capture_size=(48, 64))
    ],
    'model.ladder': [(96, 128)],
    'model.test_cfg.fit_to_ladder':
    'highest'
}
# Unseen, trained (64x48 to 128x96) and again unseen sizes, (w, h).
input_sizes = [(24, 32), (48, 64), (72, 96), (96, 128), (120, 160), (144, 192),
               (192, 256)]
