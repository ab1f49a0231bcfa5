"""A model that is small but has all the parts of the demo's."""

from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import save_checkpoint
from mmpose.registry import MODELS

DEMO = Path(__file__).parents[1] / 'configs/raf_demo.py'


def save_small_model(folder):
    """Save a random model of one block; return its config and checkpoint."""
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.arch.update(
        embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32)
    cfg.model.head.update(in_channels=16, deconv_out_channels=(8, ))
    cfg.dump(folder / 'config.py')
    init_default_scope('mmpose')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=.2)
    model.head.final_layer.bias.data += 1  # scores as of persons
    save_checkpoint(
        dict(meta={}, state_dict=model.state_dict()),
        str(folder / 'epoch_1.pth'))
    return folder / 'config.py', folder / 'epoch_1.pth'
