# The paper's federation: high, mid and low; sizes are (w, h) in pixels.
clients = [
    dict(name='high', input_size=(192, 256)),
    dict(name='mid', input_size=(144, 192)),
    dict(name='low', input_size=(96, 128))
]
