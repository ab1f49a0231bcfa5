# FedBN: normalisation layers stay with their client. tools/export_client.py
# writes the model of one.
_base_ = '../raf_demo.py'

federation = dict(local_params='norm')
