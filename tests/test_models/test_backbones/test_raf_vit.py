from pathlib import Path

import mmpose
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpose.registry import MODELS

from mmpose_raf.models import RAFViT
from mmpose_raf.models.backbones.raf_vit import LevelDropPath
from tests.test_models.reference import TINY, reference_vit, timm_name

SIZES = [(256, 192), (192, 256), (224, 224), (256, 128), (64, 48)]


def tiny(**kwargs):
    return RAFViT(**{'arch': TINY, **kwargs})


def randomize(model):
    """Give every parameter, LPE's as well, something to say."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=.2)
    return model


def vitpose_backbone(size, VisionTransformer, **kwargs):
    """The backbone of MMPose's ViTPose config, built by mmpretrain."""
    folder = Path(mmpose.__file__).parent / '.mim'
    if not folder.is_dir():
        pytest.skip('this MMPose was installed without its configs')
    config = Config.fromfile(
        folder / 'configs/body_2d_keypoint/topdown_heatmap/coco' /
        f'td-hm_ViTPose-{size}_8xb64-210e_coco-256x192.py')
    backbone = config.model.backbone
    backbone.pop('type')
    backbone.pop('init_cfg')
    return VisionTransformer(**{**backbone, **kwargs})


def shapes(model):
    return {name: tuple(p.shape) for name, p in model.state_dict().items()}


# -- names and weights -------------------------------------------------------


@pytest.mark.parametrize('size', ['small', 'base', 'large', 'huge'])
def test_presets_have_the_parameters_of_vitposes_configs(size, mmpretrain_vit):
    with torch.device('meta'):
        theirs = shapes(vitpose_backbone(size, mmpretrain_vit))
        ours = shapes(RAFViT(size, pos_embed='ape', lpe=False))
    assert ours == theirs


@pytest.mark.parametrize('with_cls_token', [False, True])
def test_names_are_mmpretrains(with_cls_token, mmpretrain_vit):
    theirs = shapes(
        mmpretrain_vit(
            arch=TINY,
            img_size=(256, 192),
            out_type='raw',
            with_cls_token=with_cls_token))
    ape = shapes(
        tiny(pos_embed='ape', lpe=False, with_cls_token=with_cls_token))
    assert ape == theirs

    full = shapes(tiny(with_cls_token=with_cls_token))
    theirs.pop('pos_embed')
    new = {
        'gpe.conv.weight': (32, 1, 3, 3),
        'gpe.conv.bias': (32, ),
    }
    for i in range(3):
        new[f'layers.{i}.attn.lpe.weight'] = (8, 1, 3, 3)
        new[f'layers.{i}.attn.lpe.bias'] = (8, )
    assert full == {**theirs, **new}


@pytest.mark.parametrize('lpe', [False, True])
def test_output_is_that_of_mmposes_vitpose(lpe, mmpretrain_vit):
    theirs = randomize(vitpose_backbone('small', mmpretrain_vit, arch=TINY))
    theirs.eval()
    ours = tiny(pos_embed='ape', lpe=lpe, drop_path_rate=.1).eval()
    result = ours.load_state_dict(theirs.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert all('.lpe.' in key for key in result.missing_keys)
    images = torch.randn(2, 3, 256, 192)
    with torch.no_grad():
        expected, = theirs(images)
        features, = ours(images)
    assert features.std() > .1
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


def test_output_at_another_size_is_that_of_mmpretrain(mmpretrain_vit):
    theirs = randomize(vitpose_backbone('small', mmpretrain_vit, arch=TINY))
    theirs.eval()
    ours = tiny(pos_embed='ape', lpe=False).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 128, 160)
    with torch.no_grad():
        torch.testing.assert_close(
            ours(images)[0], theirs(images)[0], rtol=0, atol=1e-5)


def test_ape_is_interpolated_to_the_input():
    model = randomize(tiny(pos_embed='ape', lpe=False)).eval()
    grid = model.pos_embed.detach().reshape(1, 16, 12, 32)
    position = F.interpolate(
        grid.permute(0, 3, 1, 2), size=(6, 8), mode='bicubic')
    fixed = tiny(pos_embed='ape', lpe=False, img_size=(96, 128)).eval()
    weights = model.state_dict()
    weights['pos_embed'] = position.flatten(2).transpose(1, 2)
    fixed.load_state_dict(weights)
    images = torch.randn(1, 3, 96, 128)
    torch.testing.assert_close(model(images)[0], fixed(images)[0])


def test_ape_learns_at_every_size():
    model = tiny(pos_embed='ape')
    model(torch.randn(1, 3, 64, 96))[0].square().sum().backward()
    assert model.pos_embed.grad.abs().sum() > 0


# -- architecture ------------------------------------------------------------


@pytest.mark.parametrize('arch, width, depth, heads', [('small', 384, 12, 12),
                                                       ('base', 768, 12, 12),
                                                       ('large', 1024, 24, 16),
                                                       ('huge', 1280, 32, 16)])
def test_parameters_are_as_many_as_the_formula_says(arch, width, depth, heads):
    with torch.device('meta'):
        model = RAFViT(arch)
    block = 12 * width**2 + 13 * width  # qkv, proj, MLP and two norms
    lpe = 10 * width // heads
    patch_embed = 3 * 16**2 * width + width
    gpe = 10 * width
    norm = 2 * width
    assert sum(p.numel() for p in model.parameters()) == (
        patch_embed + gpe + depth * (block + lpe) + norm)
    assert model.layers[0].attn.num_heads == heads


def test_base_has_the_known_size_of_vit_b():
    with torch.device('meta'):
        model = RAFViT('base', pos_embed='ape', lpe=False)
    # 85,798,656 is timm's vit_base_patch16_224 without head; it has a class
    # token and 197 positions, this one has 192.
    assert sum(p.numel()
               for p in model.parameters()) == (85_798_656 - 768 - 5 * 768)


@pytest.mark.parametrize('arch, message', [
    ('tiny', "one of .*'small'.* but got 'tiny'"),
    (dict(TINY, depth=2), 'must have the keys .*depth'),
    (dict(embed_dims=32), 'must have the keys .*num_heads'),
    (dict(TINY, num_heads=5), 'num_heads=5 must divide embed_dims=32'),
])
def test_wrong_arch_is_refused(arch, message):
    with pytest.raises(ValueError, match=message):
        RAFViT(arch)


@pytest.mark.parametrize('argument, message', [
    (dict(pos_embed='sine'), "'fourier', 'ape'.*, but got 'sine'"),
    (dict(patch_padding=8), 'patch_size=16, but got 8'),
    (dict(patch_padding=-1), 'patch_size=16, but got -1'),
    (dict(frozen_stages=4), 'between -1 and 3.* got 4'),
    (dict(frozen_stages=-2), 'between -1 and 3.* got -2'),
    (dict(pos_embed='ape', img_size=(250, 192)), '250x192.*patch_size=16'),
    (dict(drop_path_rate=1.), 'drop_path_rate must lie in'),
    (dict(drop_path_rate=-.1), 'drop_path_rate must lie in'),
    (dict(drop_path_rate=float('nan')), 'drop_path_rate must lie in'),
    (dict(img_size=(-256, 192)), 'img_size must be'),
    (dict(img_size=(256, )), 'img_size must be'),
    (dict(arch=dict(embed_dims=-8, num_layers=1, num_heads=1,
                    feedforward_channels=1)), 'integers of at least 1'),
    (dict(arch=dict(embed_dims=8, num_layers=True, num_heads=1,
                    feedforward_channels=1)), 'integers of at least 1'),
    (dict(arch=dict(embed_dims='8', num_layers=1, num_heads=1,
                    feedforward_channels=1)), 'integers of at least 1'),
])  # yapf: disable
def test_wrong_arguments_are_refused(argument, message):
    with pytest.raises(ValueError, match=message):
        tiny(**argument)


def test_it_is_registered():
    model = MODELS.build(dict(type='RAFViT', arch=TINY))
    assert isinstance(model, RAFViT)


def test_initialisation_is_that_of_a_vit():
    model = RAFViT(dict(TINY, embed_dims=128, feedforward_channels=512))
    for layer in model.layers:
        for linear in (layer.attn.qkv, layer.attn.proj, layer.ffn.layers[0][0],
                       layer.ffn.layers[1]):
            assert linear.weight.std().item() == pytest.approx(.02, rel=.05)
            assert not linear.bias.any()
        assert not layer.attn.lpe.weight.any()
    # Xavier's bound for a linear layer of 768 inputs, not for a convolution
    bound = (6 / (128 + 3 * 16**2))**.5
    largest = model.patch_embed.projection.weight.abs().max().item()
    assert .99 * bound < largest <= bound


# -- forward -----------------------------------------------------------------


@pytest.mark.parametrize('pos_embed', ['gpe', 'fourier', 'ape'])
@pytest.mark.parametrize('with_cls_token', [False, True])
def test_any_aspect_ratio_is_taken(pos_embed, with_cls_token):
    model = tiny(pos_embed=pos_embed, with_cls_token=with_cls_token)
    for height, width in SIZES:
        features = model(torch.randn(1, 3, height, width))
        assert isinstance(features, tuple) and len(features) == 1
        assert features[0].shape == (1, 32, height // 16, width // 16)


@pytest.mark.parametrize('size, named', [((250, 192), '250x192'),
                                         ((256, 100), '256x100')])
def test_sides_that_do_not_divide_are_refused(size, named):
    message = rf'input size {named} \(HxW\) .*patch_size=16'
    with pytest.raises(ValueError, match=message):
        tiny()(torch.randn(1, 3, *size))


@pytest.mark.parametrize('grid', [(4, 3), (3, 4)])
@pytest.mark.parametrize('with_cls_token', [False, True])
@pytest.mark.parametrize('lpe', [False, True])
def test_forward_is_the_plain_reference(grid, with_cls_token, lpe):
    model = randomize(tiny(with_cls_token=with_cls_token, lpe=lpe)).eval()
    weights = {timm_name(k): v for k, v in model.state_dict().items()}
    images = torch.randn(2, 3, 16 * grid[0], 16 * grid[1])
    with torch.no_grad():
        position = model.gpe(grid)
        if with_cls_token:  # which has no place: zero
            position = torch.cat((torch.zeros(1, 1, 32), position), 1)
        tokens = reference_vit(weights, images, 4, position, padding=2)
        features, = model(images)
    if with_cls_token:
        tokens = tokens[:, 1:] + tokens[:, :1]
    expected = tokens.transpose(1, 2).reshape(2, 32, *grid)
    assert expected.std() > .1
    torch.testing.assert_close(features, expected, rtol=1e-4, atol=1e-5)


def test_drop_path_rises_linearly():
    model = tiny(drop_path_rate=.3)
    rates = [layer.drop_path.drop_prob for layer in model.layers]
    assert rates == pytest.approx([0, .15, .3])


def test_drop_path_drops_both_branches():
    model = randomize(tiny(drop_path_rate=.999))
    tokens = torch.randn(1, 6, 32)
    # The last block drops attention and MLP nearly always.
    torch.testing.assert_close(model.layers[-1](tokens, [(2, 3)]), tokens)
    model.eval()
    assert not torch.allclose(model.layers[-1](tokens, [(2, 3)]), tokens)


@pytest.mark.parametrize('with_cls_token', [False, True])
def test_levels_in_one_pass_are_those_of_several(with_cls_token):
    model = randomize(tiny(with_cls_token=with_cls_token))
    images = [torch.randn(2, 3, *size) for size in ((64, 48), (32, 48))]
    packed, single = [], []
    for features, result in ((model(images), packed),
                             (map(model, images), single)):
        features = [maps for maps, in features]
        sum(maps.square().sum() for maps in features).backward()
        result += [*features, *(p.grad for p in model.parameters())]
        model.zero_grad()
    torch.testing.assert_close(packed, single)


def test_paths_are_dropped_for_each_level():
    drop = LevelDropPath(.5)
    dropped = drop(torch.ones(1000, 5, 2), [2, 3])
    first, second = dropped[:, :2], dropped[:, 2:]
    for level in (first, second):
        assert (level == level[:, :1, :1]).all()
        assert set(level.unique().tolist()) == {0, 2}
        assert level.mean() == pytest.approx(1, abs=.2)
    both = (first[:, 0, 0] * second[:, 0, 0]).mean()
    assert both == pytest.approx(1, abs=.3)  # independent


@pytest.mark.parametrize('frozen_stages', [-1, 0])
def test_checkpointing_gives_the_same_gradients(frozen_stages):
    images = torch.randn(2, 3, 64, 48)
    gradients = []
    for with_cp in (False, True):
        torch.manual_seed(1)
        model = randomize(
            tiny(
                with_cp=with_cp,
                drop_path_rate=.5,
                frozen_stages=frozen_stages))
        torch.manual_seed(2)  # the same paths are dropped
        model(images)[0].square().sum().backward()
        gradients.append({
            name: p.grad
            for name, p in model.named_parameters() if p.requires_grad
        })
    assert all(g is not None for g in gradients[0].values())
    torch.testing.assert_close(gradients[1], gradients[0])


def test_checkpointing_recomputes_the_blocks(monkeypatch):
    model = tiny(with_cp=True)
    calls = []
    attention = model.layers[1].attn
    forward = attention.forward
    monkeypatch.setattr(attention, 'forward',
                        lambda *args: calls.append(1) or forward(*args))
    model(torch.randn(1, 3, 32, 32))[0].sum().backward()
    assert len(calls) == 2


def frozen(model):
    return {n for n, p in model.named_parameters() if not p.requires_grad}


@pytest.mark.parametrize('options', [
    dict(),
    dict(with_cls_token=True),
    dict(pos_embed='ape', with_cls_token=True),
])
def test_frozen_stages_freeze_what_they_say(options):
    names = {name for name, _ in tiny(**options).named_parameters()}
    for stages in range(-1, 4):
        prefixes = []
        if stages >= 0:
            prefixes += ['patch_embed.', 'gpe.', 'pos_embed', 'cls_token']
        prefixes += [f'layers.{i}.' for i in range(stages)]
        if stages == 3:
            prefixes.append('ln1.')
        expected = {n for n in names if n.startswith(tuple(prefixes))}

        model = tiny(frozen_stages=stages, drop_path_rate=.5, **options)
        for _ in range(2):
            assert frozen(model) == expected
            in_training = [layer.training for layer in model.layers]
            assert in_training == [i >= stages for i in range(3)]
            assert all(module.training == (i >= stages)
                       for i, layer in enumerate(model.layers)
                       for module in layer.modules())
            model.train()
        model.eval()
        assert not any(layer.training for layer in model.layers)


def test_autocast_to_bfloat16_changes_little():
    model = randomize(tiny(with_cls_token=True))
    images = torch.randn(1, 3, 64, 48)
    with torch.autocast('cpu', torch.bfloat16):
        features, = model(images)
    features.float().square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    exact, = model(images)
    error = (features.float() - exact).abs().mean() / exact.abs().mean()
    assert error < .1


def test_training_works_after_inference_mode():
    model = tiny()
    images = torch.randn(1, 3, 80, 112)  # a grid that no other test has
    with torch.inference_mode():
        first, = model(images)
    second, = model(images)
    second.square().sum().backward()
    assert model.gpe.conv.weight.grad.abs().sum() > 0
    torch.testing.assert_close(second.detach(), first.clone())
