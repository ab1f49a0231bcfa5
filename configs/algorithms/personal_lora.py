# Personal adapters: each client keeps its factor B, and shares A, the head and
# the position encodings.
_base_ = '../raf_demo.py'

federation = dict(
    adapters=dict(type='LoRA', rank=8), local_params=['*.lora_b'])
