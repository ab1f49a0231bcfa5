import logging
import sys

import pytest
import torch
import torch.nn.functional as F
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS
from safetensors.torch import save_file

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import RAFViT
from mmpose_raf.models.pretrained import load_pretrained_estimator
from mmpose_raf.models.pretrained.vit_weights import read_vit
from tests.test_models.reference import TINY, reference_vit, timm_weights

MAE_DECODER = ('mask_token', 'decoder_pos_embed', 'decoder_embed.weight',
               'decoder_blocks.0.norm1.weight', 'decoder_norm.weight')


@pytest.fixture
def log():
    """Messages that are logged while the test runs."""
    messages = []

    class Collector(logging.Handler):

        def emit(self, record):
            messages.append(record.getMessage())

    logger, collector = MMLogger.get_current_instance(), Collector()
    logger.addHandler(collector)
    yield messages
    logger.removeHandler(collector)


@pytest.fixture
def save(tmp_path):
    """Save a checkpoint and return the ``init_cfg`` that loads it."""

    def save(checkpoint, **kwargs):
        torch.save(checkpoint, tmp_path / 'vit.pth')
        return dict(
            type='Pretrained', checkpoint=str(tmp_path / 'vit.pth'), **kwargs)

    return save


def load(init_cfg, **kwargs):
    model = RAFViT(TINY, init_cfg=init_cfg, **kwargs)
    model.init_weights()
    return model


def mae_weights():
    """An MAE release: the encoder, and a decoder of no use here."""
    weights = timm_weights()
    weights.update({key: torch.randn(3) for key in MAE_DECODER})
    return weights


def estimator(init_cfg=None, **backbone):
    codec = dict(
        type='UDPHeatmap',
        input_size=(96, 128),
        heatmap_size=(24, 32),
        sigma=2)
    return MODELS.build(
        dict(
            type='RAFPoseEstimator',
            ladder=[(96, 128)],
            init_cfg=init_cfg,
            backbone=dict(type='RAFViT', arch=TINY, **backbone),
            head=dict(
                type='AnyResolutionHeatmapHead',
                in_channels=32,
                out_channels=4,
                deconv_out_channels=(8, 8),
                deconv_kernel_sizes=(4, 4),
                decoder=codec)))


# -- timm's names ------------------------------------------------------------


def test_features_are_those_of_the_plain_reference(save):
    weights = timm_weights()
    model = load(
        save(weights),
        pos_embed='ape',
        lpe=True,
        img_size=(224, 224),
        patch_padding=0,
        with_cls_token=True).eval()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        tokens = reference_vit(weights, images, 4, weights['pos_embed'])
        features, = model(images)
    # RAF's variant adds the class token to the patch tokens.
    patches = features.flatten(2).transpose(1, 2) - tokens[:, :1]
    assert tokens.std() > .1
    torch.testing.assert_close(patches, tokens[:, 1:], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    'wrap', [
        lambda weights: weights,
        lambda weights: dict(model=weights),
        lambda weights: dict(state_dict=weights, meta=dict(epoch=3)),
        lambda weights: dict(module=weights, optimizer=dict(state={})),
        lambda weights: {
            f'module.{k}': v
            for k, v in weights.items()
        },
        lambda weights: {
            f'backbone.{k}': v
            for k, v in weights.items()
        },
        lambda weights: {
            f'image_model.trunk.{k}': v
            for k, v in weights.items()
        },
        lambda weights: dict(state_dict={
            f'module.backbone.{k}': v
            for k, v in weights.items()
        }),
    ],
    ids=[
        'bare', 'model', 'state_dict', 'module', 'module.', 'backbone.',
        'trunk.', 'module.backbone.'
    ])
def test_every_container_loads_the_same(wrap, save):
    weights = timm_weights()
    model = load(save(wrap(weights)))
    loaded = model.state_dict()
    names = {
        'patch_embed.projection.weight': 'patch_embed.proj.weight',
        'layers.0.ln1.weight': 'blocks.0.norm1.weight',
        'layers.0.attn.qkv.bias': 'blocks.0.attn.qkv.bias',
        'layers.1.attn.proj.weight': 'blocks.1.attn.proj.weight',
        'layers.1.ln2.bias': 'blocks.1.norm2.bias',
        'layers.2.ffn.layers.0.0.weight': 'blocks.2.mlp.fc1.weight',
        'layers.2.ffn.layers.1.bias': 'blocks.2.mlp.fc2.bias',
        'ln1.weight': 'norm.weight',
    }
    for ours, theirs in names.items():
        assert torch.equal(loaded[ours], weights[theirs]), ours
    assert not loaded['layers.0.attn.lpe.weight'].any()


def test_every_encoder_weight_is_renamed(save):
    own = RAFViT(
        TINY,
        pos_embed='ape',
        lpe=False,
        with_cls_token=True,
        img_size=(224, 224)).state_dict()
    for weights in (timm_weights(), own):  # timm's names, mmpretrain's
        read = read_vit(save(weights)['checkpoint'])
        assert {
            k: v.shape
            for k, v in read.backbone.items()
        } == {
            k: v.shape
            for k, v in own.items()
        }
        assert not read.others


def rows(log):
    """Rows of the table in the last message: (taken, left, new, remarks)."""
    table = {}
    for line in log[-1].splitlines()[4:-1]:
        module, *counts, remarks = [
            cell.strip() for cell in line.strip('|').split('|')
        ]
        table[module] = (*(int(count or 0) for count in counts), remarks)
    return table


def test_the_table_counts_every_weight(save, log):
    load(save(mae_weights()), pos_embed='ape')
    table = rows(log)
    of_the_encoder = 4 + 12 * 3 + 2
    taken, left, new = (
        sum(row[i] for row in table.values()) for i in range(3))
    assert taken == of_the_encoder - 1  # all but the class token
    assert left == 1 + len(MAE_DECODER)
    assert new == 2 * 3  # LPE of each layer
    assert f'{taken} of {taken + new} weights of RAFViT' in log[-1]
    assert 'vit.pth (names of timm)' in log[-1]
    assert table['pos_embed'] == (1, 0, 0, '197 -> 192 tokens')
    assert table['cls_token'] == (0, 1, 0, '')
    assert table['decoder_blocks.*'] == (0, 1, 0, '')
    assert table['layers.*.attn.qkv'] == (6, 0, 0, '')
    assert table['layers.*.attn.lpe'] == (0, 0, 6, '')


def test_nothing_is_left_or_new_where_everything_fits(save, log):
    load(save(RAFViT(TINY).state_dict()))
    assert '48 of 48 weights' in log[-1]
    assert all(row[1:] == (0, 0, '') for row in rows(log).values())


def test_gpe_takes_no_embedding(save, log):
    model = load(save(timm_weights()), with_cls_token=True)
    table = rows(log)
    assert table['pos_embed'] == (0, 1, 0, '')
    assert table['cls_token'] == (1, 0, 0, '')
    assert table['gpe.conv'] == (0, 0, 2, '')
    assert model.cls_token.abs().max() > .1


def test_weights_of_another_shape_are_named_not_loaded(save, log):
    weights = timm_weights()
    weights['patch_embed.proj.weight'] = torch.randn(32, 3, 14, 14)
    load(save(weights))
    assert rows(log)['patch_embed.projection'] == (
        1, 1, 1, '(32, 3, 14, 14) is not (32, 3, 16, 16)')


def test_initialising_twice_loads_once(save, log):
    model = load(save(timm_weights()))
    with torch.no_grad():
        model.ln1.weight.fill_(7)
    model.init_weights()
    assert (model.ln1.weight == 7).all()


# -- wrong files -------------------------------------------------------------


@pytest.mark.parametrize(
    'checkpoint', [
        timm_weights(width=64),
        timm_weights(depth=1),
        timm_weights(depth=9),
        {
            f'layer{i}.weight': torch.randn(3)
            for i in range(9)
        },
        dict(state_dict={}),
    ],
    ids=['wide', 'shallow', 'deep', 'other', 'empty'])
def test_a_file_that_hardly_fits_is_refused(checkpoint, save):
    with pytest.raises(ConfigError, match='init_cfg.checkpoint') as error:
        load(save(checkpoint))
    assert error.value.field == 'init_cfg.checkpoint'
    assert 'vit.pth' in str(error.value)


def test_the_refusal_counts_and_gives_examples(save):
    weights = timm_weights(width=64)
    with pytest.raises(ConfigError) as error:
        load(save(weights))
    # Of another width, nothing fits but the hidden layers' biases.
    assert f'3 of the {len(weights)} weights' in str(error.value)
    assert 'cls_token (1, 1, 64)' in str(error.value)
    assert 'gpe.conv.bias' in str(error.value)


def test_a_refused_file_changes_nothing(save):
    weights = timm_weights(depth=9)
    model = RAFViT(TINY, init_cfg=save(weights))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(ConfigError):
        model.init_weights()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match='no such file: nowhere.pth'):
        load(dict(type='Pretrained', checkpoint='nowhere.pth'))


def test_a_broken_safetensors_file_is_refused_in_one_line(tmp_path):
    file = tmp_path / 'vit.safetensors'
    save_file(timm_weights(), file)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigError, match='vit.safetensors') as error:
        load(dict(type='Pretrained', checkpoint=str(file)))
    assert '\n' not in str(error.value)


def test_without_safetensors_its_name_is_told(tmp_path, monkeypatch):
    file = tmp_path / 'vit.safetensors'
    save_file(timm_weights(), file)
    monkeypatch.setitem(sys.modules, 'safetensors', None)
    with pytest.raises(ConfigError, match='pip install safetensors'):
        load(dict(type='Pretrained', checkpoint=str(file)))


# -- position embedding ------------------------------------------------------


def bicubic(embedding, source, target):
    """Interpolate (1, h * w, C), by hand from tokens to a map and back."""
    channels = embedding.shape[-1]
    grid = torch.zeros(1, channels, *source)
    for row in range(source[0]):
        for column in range(source[1]):
            grid[0, :, row, column] = embedding[0, row * source[1] + column]
    grid = F.interpolate(
        grid, size=target, mode='bicubic', align_corners=False)
    return grid.flatten(2).transpose(1, 2)


@pytest.mark.parametrize('with_cls_token', [False, True])
def test_square_embedding_becomes_the_models_grid(with_cls_token, save):
    weights = timm_weights()
    model = load(save(weights), pos_embed='ape', with_cls_token=with_cls_token)
    embedding = model.pos_embed.detach()
    if with_cls_token:
        assert torch.equal(embedding[:, 0], weights['pos_embed'][:, 0])
        embedding = embedding[:, 1:]
    expected = bicubic(weights['pos_embed'][:, 1:], (14, 14), (16, 12))
    torch.testing.assert_close(embedding, expected)


@pytest.mark.parametrize('grid', [(8, 24), (24, 8)])
def test_grid_that_is_given_as_height_and_width(grid, save):
    weights = timm_weights(num_patches=192)
    model = load(
        save(weights, pos_embed_grid=grid),
        pos_embed='ape',
        img_size=(128, 96))
    expected = bicubic(weights['pos_embed'][:, 1:], grid, (8, 6))
    torch.testing.assert_close(model.pos_embed.detach(), expected)


def test_a_given_grid_wins_over_the_models(save):
    # 192 tokens fit the landscape model as they stand, but were portrait.
    weights = timm_weights(num_patches=192)
    model = load(
        save(weights, pos_embed_grid=(16, 12)),
        pos_embed='ape',
        img_size=(192, 256))
    expected = bicubic(weights['pos_embed'][:, 1:], (16, 12), (12, 16))
    torch.testing.assert_close(model.pos_embed.detach(), expected)


# -- other weights in the file -----------------------------------------------


def test_of_two_models_the_backbone_is_taken(save, log):
    weights, average = timm_weights(), timm_weights()
    both = {
        **{
            f'ema.{k}': v
            for k, v in average.items()
        },
        **{
            f'backbone.{k}': v
            for k, v in weights.items()
        },
    }
    model = load(save(both))
    assert torch.equal(model.ln1.weight, weights['norm.weight'])
    assert rows(log)['ema.blocks.*'][1] == 12 * 3


def test_half_precision_is_read_as_single(save):
    weights = timm_weights()
    model = load(save({k: v.half() for k, v in weights.items()}))
    assert model.ln1.weight.dtype == torch.float32
    assert torch.equal(model.ln1.weight, weights['norm.weight'].half().float())


# -- the whole model ---------------------------------------------------------


def test_init_weights_of_a_whole_estimator(save, log):
    weights = mae_weights()
    model = estimator(init_cfg=save(dict(model=weights)))
    model.init_weights()
    backbone = model.backbone.state_dict()
    assert torch.equal(backbone['layers.2.attn.qkv.weight'],
                       weights['blocks.2.attn.qkv.weight'])
    assert torch.equal(backbone['ln1.bias'], weights['norm.bias'])
    assert rows(log)['head.final_layer'] == (0, 0, 2, '')
    # the head has its own initialisation
    assert model.head.final_layer.weight.std() < .01


def test_init_cfg_of_the_estimator_loads_the_head_too(save, log):
    theirs, checkpoint = vitpose_checkpoint((256, 192))
    model = estimator(init_cfg=save(checkpoint))
    model.init_weights()
    for key, value in theirs.head.state_dict().items():
        assert torch.equal(model.head.state_dict()[key], value), key
    assert torch.equal(model.backbone.ln1.weight, theirs.backbone.ln1.weight)
    assert rows(log)['backbone.pos_embed'] == (0, 1, 0, '')
    with torch.no_grad():
        model.head.final_layer.bias.fill_(7)
    model.init_weights()  # once is enough
    assert (model.head.final_layer.bias == 7).all()


def test_the_first_releases_of_vitpose(save):
    """MMPose before 1.0: last_norm, keypoint_head, a token without class."""
    weights = timm_weights(num_patches=48)
    del weights['cls_token']
    for kind in ('weight', 'bias'):
        weights[f'last_norm.{kind}'] = weights.pop(f'norm.{kind}')
    model = estimator(pos_embed='ape', lpe=False, img_size=(128, 96))
    head = {
        k: torch.randn_like(v) if v.is_floating_point() else v
        for k, v in model.head.state_dict().items()
    }
    file = {
        **{
            f'backbone.{k}': v
            for k, v in weights.items()
        },
        **{
            f'keypoint_head.{k}': v
            for k, v in head.items()
        },
    }
    load_pretrained_estimator(model, save(file)['checkpoint'])
    for key, value in model.head.state_dict().items():
        assert torch.equal(value, head[key])
    images = torch.randn(1, 3, 128, 96)
    position = weights['pos_embed'][:, 1:] + weights['pos_embed'][:, :1]
    for kind in ('weight', 'bias'):
        weights[f'norm.{kind}'] = weights.pop(f'last_norm.{kind}')
    with torch.no_grad():
        tokens = reference_vit(weights, images, 4, position, padding=2)
        features, = model.eval().backbone(images)
    torch.testing.assert_close(
        features.flatten(2).transpose(1, 2), tokens, rtol=1e-4, atol=1e-5)


def test_init_weights_without_a_file_keeps_the_initialisation():
    model = estimator()
    before = {k: v.clone() for k, v in model.backbone.state_dict().items()}
    model.init_weights()
    for key, value in model.backbone.state_dict().items():
        assert torch.equal(value, before[key])


def vitpose_checkpoint(img_size):
    """A ViTPose checkpoint as MMPose saves it, and its model."""
    torch.manual_seed(7)
    model = estimator(pos_embed='ape', lpe=False, img_size=img_size)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=.2)
    return model, dict(state_dict=model.state_dict(), meta=dict(epoch=210))


def test_vitpose_checkpoint_into_the_estimator(tmp_path):
    theirs, checkpoint = vitpose_checkpoint((256, 192))
    torch.save(checkpoint, tmp_path / 'vitpose.pth')
    model = estimator(pos_embed='ape', img_size=(256, 192))
    load_checkpoint(model, str(tmp_path / 'vitpose.pth'), map_location='cpu')
    images = torch.randn(1, 3, 256, 192)
    with torch.no_grad():
        theirs, model = theirs.eval(), model.eval()
        torch.testing.assert_close(
            model.head(model.extract_feat(images)),
            theirs.head(theirs.extract_feat(images)))


@pytest.mark.parametrize('img_size', [(128, 96), (384, 288), (192, 256)])
def test_vitpose_checkpoint_at_another_size(img_size, tmp_path):
    theirs, checkpoint = vitpose_checkpoint((256, 192))
    torch.save(checkpoint, tmp_path / 'vitpose.pth')
    model = estimator(pos_embed='ape', img_size=img_size)
    load_checkpoint(model, str(tmp_path / 'vitpose.pth'), map_location='cpu')
    grid = (img_size[0] // 16, img_size[1] // 16)
    expected = theirs.backbone.pos_embed.detach()
    if grid != (12, 16):  # the same number of tokens is taken as it stands
        expected = bicubic(expected, (16, 12), grid)
    torch.testing.assert_close(model.backbone.pos_embed.detach(), expected)
    for name in ('backbone.layers.0.attn.qkv.weight',
                 'head.deconv_layers.0.weight', 'head.final_layer.bias'):
        assert torch.equal(model.state_dict()[name],
                           checkpoint['state_dict'][name])


def test_loading_leaves_the_callers_weights_alone():
    _, checkpoint = vitpose_checkpoint((256, 192))
    weights = checkpoint['state_dict']
    model = estimator(pos_embed='ape', lpe=False, img_size=(128, 96))
    model.load_state_dict(weights)
    assert weights['backbone.pos_embed'].shape == (1, 192, 32)


def test_vitpose_checkpoint_of_unknown_grid_is_refused():
    _, checkpoint = vitpose_checkpoint((256, 192))
    model = estimator(pos_embed='ape', lpe=False, img_size=(224, 224))
    with pytest.raises(ConfigError, match='pos_embed_grid'):
        model.load_state_dict(checkpoint['state_dict'])


def test_an_estimator_resumes_from_its_own_weights():
    _, checkpoint = vitpose_checkpoint((192, 256))
    model = estimator(pos_embed='ape', lpe=False, img_size=(192, 256))
    model.load_state_dict(checkpoint['state_dict'])
    for name, value in model.state_dict().items():
        assert torch.equal(value, checkpoint['state_dict'][name])
