"""A Vision Transformer as plain as possible, in timm's names."""

import torch
import torch.nn.functional as F

TINY = dict(embed_dims=32, num_layers=3, num_heads=4, feedforward_channels=48)

# mmpretrain's name of a part -> timm's
RENAMED = (('patch_embed.projection', 'patch_embed.proj'),
           ('ffn.layers.0.0', 'mlp.fc1'), ('ffn.layers.1', 'mlp.fc2'),
           ('layers.', 'blocks.'), ('ln1', 'norm1'), ('ln2', 'norm2'))


def timm_name(name):
    """Name of mmpretrain's parameter in timm's (MAE's) checkpoints."""
    for ours, theirs in RENAMED:
        name = name.replace(ours, theirs)
    return 'norm.' + name[6:] if name.startswith('norm1.') else name


def timm_weights(width=32, depth=3, mlp=48, num_patches=196, patch=16):
    """Random weights with the keys of an MAE encoder (timm's)."""
    shapes = {
        'cls_token': (1, 1, width),
        'pos_embed': (1, num_patches + 1, width),
        'patch_embed.proj.weight': (width, 3, patch, patch),
        'patch_embed.proj.bias': (width, ),
    }
    for i in range(depth):
        shapes.update({
            f'blocks.{i}.norm1.weight': (width, ),
            f'blocks.{i}.norm1.bias': (width, ),
            f'blocks.{i}.attn.qkv.weight': (3 * width, width),
            f'blocks.{i}.attn.qkv.bias': (3 * width, ),
            f'blocks.{i}.attn.proj.weight': (width, width),
            f'blocks.{i}.attn.proj.bias': (width, ),
            f'blocks.{i}.norm2.weight': (width, ),
            f'blocks.{i}.norm2.bias': (width, ),
            f'blocks.{i}.mlp.fc1.weight': (mlp, width),
            f'blocks.{i}.mlp.fc1.bias': (mlp, ),
            f'blocks.{i}.mlp.fc2.weight': (width, mlp),
            f'blocks.{i}.mlp.fc2.bias': (width, ),
        })
    shapes.update({'norm.weight': (width, ), 'norm.bias': (width, )})
    return {key: .2 * torch.randn(shape) for key, shape in shapes.items()}


def layer_norm(x, weights, name):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean)**2).mean(-1, keepdim=True)
    x = (x - mean) / (variance + 1e-6).sqrt()
    return x * weights[f'{name}.weight'] + weights[f'{name}.bias']


def linear(x, weights, name):
    return x @ weights[f'{name}.weight'].T + weights[f'{name}.bias']


def local_encoding(value, weights, name, grid):
    """LPE of the values (B, N, heads, d), one head of one image at a time."""
    num_extra = value.shape[1] - grid[0] * grid[1]
    encoding = torch.zeros_like(value)
    for image in range(value.shape[0]):
        for head in range(value.shape[2]):
            value_map = value[image, num_extra:, head].T.reshape(1, -1, *grid)
            local = F.conv2d(
                value_map,
                weights[f'{name}.weight'],
                weights[f'{name}.bias'],
                padding=1,
                groups=value.shape[3])
            encoding[image, num_extra:, head] = local[0].flatten(1).T
    return encoding


def attend(x, weights, name, heads, grid):
    batch, num_tokens, width = x.shape
    qkv = linear(x, weights, f'{name}.qkv')
    query, key, value = qkv.reshape(batch, num_tokens, 3, heads, -1).unbind(2)
    score = torch.einsum('bqhd,bkhd->bhqk', query, key)
    score = torch.softmax(score / (width // heads)**.5, -1)
    out = torch.einsum('bhqk,bkhd->bqhd', score, value)
    if f'{name}.lpe.weight' in weights:
        out = out + local_encoding(value, weights, f'{name}.lpe', grid)
    return linear(out.flatten(2), weights, f'{name}.proj')


def reference_vit(weights, images, heads, position, padding=0):
    """Tokens (B, E + H * W, C) after the last norm.

    Args:
        weights (dict): Weights in timm's names.
        images (Tensor): Images (B, 3, H, W).
        heads (int): Number of heads.
        position (Tensor): What is added to the tokens before the first
            block, for the class token as well if there is one.
        padding (int): Padding of the patch convolution.
    """
    kernel = weights['patch_embed.proj.weight']
    x = F.conv2d(
        images,
        kernel,
        weights['patch_embed.proj.bias'],
        stride=kernel.shape[-1],
        padding=padding)
    grid = x.shape[-2:]
    x = x.flatten(2).transpose(1, 2)
    if 'cls_token' in weights:
        x = torch.cat((weights['cls_token'].repeat(len(x), 1, 1), x), 1)
    x = x + position
    depth = len({key.split('.')[1] for key in weights if 'blocks.' in key})
    for i in range(depth):
        name = f'blocks.{i}'
        y = layer_norm(x, weights, f'{name}.norm1')
        x = x + attend(y, weights, f'{name}.attn', heads, grid)
        y = layer_norm(x, weights, f'{name}.norm2')
        y = F.gelu(linear(y, weights, f'{name}.mlp.fc1'))
        x = x + linear(y, weights, f'{name}.mlp.fc2')
    return layer_norm(x, weights, 'norm')
