# FLIP: honest clients look for a trigger that moves a joint, and train on
# images with it; here against a client with a backdoor.
_base_ = 'hostile_client.py'

federation = dict(
    local_defence=dict(type='TriggerInversion', distance=0.2, steps=2))
