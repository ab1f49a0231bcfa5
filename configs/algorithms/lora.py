# LoRA: clients train low-rank updates of the transformer blocks, and the head
# and the position encodings whole; only these are sent. freeze_a=True averages
# the updates exactly, for half of their bytes (FFA-LoRA);
# local_params=['*.lora_b'] keeps a part of them with each client. Meant for a
# pre-trained model: load_from, or the backbone's init_cfg.
_base_ = '../raf_demo.py'

federation = dict(adapters=dict(type='LoRA', rank=8))
