# FedConv: the weak client's model is made by convolutions over the weights,
# tuned on samples that the server holds.
_base_ = 'heterofl.py'

federation = dict(
    aggregator=dict(
        _delete_=True, type='FedConv', proxy_samples=48, steps=5))
