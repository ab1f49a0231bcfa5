"""Models of other libraries against RAFViT with their weights."""

import json

import pytest
import torch
from mmpose.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import RAFViT
from mmpose_raf.models.pretrained import load_pretrained_estimator

ARCH = dict(embed_dims=32, num_layers=3, num_heads=4, feedforward_channels=64)
SIZE = (64, 48)


def randomize(model):
    """Weights that leave no part of a model without effect."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1 if 'norm' in name else 0, .2)
        for name, buffer in model.named_buffers():
            if 'running' in name:
                buffer.uniform_(.5, 1.5)
    model.eval()  # returns nothing in mmpretrain
    return model


def load(path, **options):
    model = RAFViT(
        ARCH,
        init_cfg=dict(type='Pretrained', checkpoint=str(path)),
        **dict(
            dict(
                img_size=SIZE,
                pos_embed='ape',
                lpe=False,
                patch_padding=0,
                with_cls_token=True), **options))
    model.init_weights()
    return model.eval()


def patch_tokens(model, images):
    """Patch tokens (B, N, C), without the class token RAFViT adds to each."""
    grid = model.grid_of(images.shape[-2:])
    with torch.no_grad():
        captured = []
        hook = model.ln1.register_forward_hook(
            lambda module, args, out: captured.append(out))
        model(images)
        hook.remove()
    return captured[0][:, -grid[0] * grid[1]:]


def check_tokens(ours, theirs):
    assert theirs.std() > .1
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


# -- transformers ------------------------------------------------------------


def hugging_face(library, name, folder, **options):
    """A random model of transformers, and the folder it was saved to."""
    config = getattr(library, f'{name}Config')(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, **options)
    model = randomize(getattr(library, f'{name}Model')(config))
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize('file', ['model.safetensors', 'pytorch_model.bin'])
@pytest.mark.parametrize('name, size, patch_size, options', [
    ('ViT', SIZE, 16, dict(intermediate_size=64)),
    ('Dinov2', (56, 56), 14, dict(mlp_ratio=2)),
])
def test_transformers_vit(name, size, patch_size, options, file, transformers,
                          tmp_path):
    model = hugging_face(
        transformers,
        name,
        tmp_path,
        image_size=size,
        patch_size=patch_size,
        **options)
    if file.endswith('.bin'):  # names as they are in memory
        torch.save(model.state_dict(), tmp_path / file)
    images = torch.randn(2, 3, *size)
    with torch.no_grad():
        tokens = model(images).last_hidden_state[:, 1:]
    ours = load(tmp_path / file, img_size=size, patch_size=patch_size)
    check_tokens(patch_tokens(ours, images), tokens)


def test_transformers_mae_leaves_the_decoder(transformers, tmp_path):
    config = transformers.ViTMAEConfig(
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        image_size=64,
        decoder_num_hidden_layers=1,
        decoder_hidden_size=16,
        decoder_num_attention_heads=2,
        mask_ratio=0.)
    model = randomize(transformers.ViTMAEForPreTraining(config))
    model.save_pretrained(tmp_path)
    ours = load(tmp_path / 'model.safetensors', img_size=(64, 64))
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():  # the noise is the order of the tokens
        tokens = model.vit(
            images, noise=torch.arange(16.).expand(2, -1)).last_hidden_state
    check_tokens(patch_tokens(ours, images), tokens[:, 1:])


def vitpose(library, folder, **options):
    config = library.VitPoseConfig(
        backbone_config=library.VitPoseBackboneConfig(
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            mlp_ratio=2,
            image_size=SIZE,
            layer_norm_eps=1e-6,
            **options),
        num_labels=5,
        use_simple_decoder=False)
    model = randomize(library.VitPoseForPoseEstimation(config))
    model.save_pretrained(folder)
    return model


def estimator(img_size=SIZE, out_channels=5):
    codec = dict(
        type='UDPHeatmap',
        input_size=img_size[::-1],
        heatmap_size=(img_size[1] // 4, img_size[0] // 4),
        sigma=2)
    return MODELS.build(
        dict(
            type='RAFPoseEstimator',
            ladder=[img_size[::-1]],
            backbone=dict(
                type='RAFViT',
                arch=ARCH,
                img_size=img_size,
                pos_embed='ape',
                lpe=False),
            head=dict(
                type='AnyResolutionHeatmapHead',
                in_channels=32,
                out_channels=out_channels,
                deconv_out_channels=(256, 256),
                deconv_kernel_sizes=(4, 4),
                decoder=codec))).eval()


def test_transformers_vitpose_with_its_head(transformers, tmp_path):
    theirs = vitpose(transformers, tmp_path).double()
    ours = estimator()
    load_pretrained_estimator(ours, str(tmp_path / 'model.safetensors'))
    ours.double()
    images = torch.randn(2, 3, *SIZE, dtype=torch.double)
    with torch.no_grad():
        heatmaps = theirs(images).heatmaps
        assert heatmaps.std() > .1
        torch.testing.assert_close(
            ours.head(ours.extract_feat(images)), heatmaps, rtol=0, atol=1e-5)


def test_transformers_vitpose_of_other_keypoints(transformers, tmp_path):
    theirs = vitpose(transformers, tmp_path)
    ours = estimator(out_channels=7)
    before = ours.head.final_layer.weight.clone()
    load_pretrained_estimator(ours, str(tmp_path / 'model.safetensors'))
    assert torch.equal(ours.head.deconv_layers[0].weight,
                       theirs.head.deconv1.weight)
    assert torch.equal(ours.head.final_layer.weight, before)


@pytest.mark.parametrize('name, options, part', [
    ('Dinov2WithRegisters', dict(mlp_ratio=2), 'register tokens'),
    ('Dinov2', dict(use_swiglu_ffn=True), 'SwiGLU'),
    ('VitPose', dict(num_experts=2, part_features=8), 'experts'),
])
def test_what_rafvit_lacks_is_named(name, options, part, transformers,
                                    tmp_path):
    if name == 'VitPose':
        vitpose(transformers, tmp_path, **options)
    else:
        hugging_face(transformers, name, tmp_path, image_size=64, **options)
    with pytest.raises(ConfigError, match=part) as error:
        load(tmp_path / 'model.safetensors')
    assert '\n' not in str(error.value)


def test_another_number_of_heads_is_refused(transformers, tmp_path):
    hugging_face(
        transformers, 'ViT', tmp_path, image_size=SIZE, intermediate_size=64)
    config = json.loads((tmp_path / 'config.json').read_text())
    (tmp_path / 'config.json').write_text(
        json.dumps(dict(config, num_attention_heads=2)))
    with pytest.raises(ConfigError, match='4 attention heads.*has 2'):
        load(tmp_path / 'model.safetensors')


# -- timm --------------------------------------------------------------------


def timm_vit(library, **options):
    return randomize(
        library.models.vision_transformer.VisionTransformer(
            img_size=SIZE,
            embed_dim=32,
            depth=3,
            num_heads=4,
            mlp_ratio=2,
            num_classes=3,
            **options))


@pytest.mark.parametrize(
    'options', [{}, dict(init_values=.5)], ids=['plain', 'layer_scale'])
def test_timm_vit(options, timm, tmp_path):
    model = timm_vit(timm, **options)
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        tokens = model.forward_features(images)[:, 1:]
    check_tokens(patch_tokens(load(tmp_path / 'vit.pth'), images), tokens)


def test_timm_vit_at_another_size(timm, tmp_path):
    model = timm_vit(timm)
    torch.save(model.state_dict(), tmp_path / 'vit.pth')
    size = (128, 96)
    ours = load(tmp_path / 'vit.pth', img_size=size)
    resample = timm.layers.resample_abs_pos_embed
    expected = resample(
        model.pos_embed.detach(),
        new_size=(8, 6),
        old_size=(4, 3),
        antialias=False)
    torch.testing.assert_close(ours.pos_embed.detach(), expected)


@pytest.mark.parametrize(
    'options, part',
    [(dict(reg_tokens=4, class_token=True), 'register tokens'),
     (dict(qk_norm=True), 'norms of queries and keys'),
     (dict(pre_norm=True), 'a norm before the first block')])
def test_what_rafvit_lacks_of_timm_is_named(options, part, timm, tmp_path):
    torch.save(timm_vit(timm, **options).state_dict(), tmp_path / 'vit.pth')
    with pytest.raises(ConfigError, match=part):
        load(tmp_path / 'vit.pth')


# -- mmpretrain --------------------------------------------------------------


@pytest.mark.parametrize('scale', [0, .5], ids=['plain', 'layer_scale'])
def test_mmpretrain_vit(scale, mmpretrain_vit, tmp_path):
    theirs = randomize(
        mmpretrain_vit(
            ARCH,
            img_size=SIZE,
            patch_size=16,
            out_type='raw',
            layer_scale_init_value=scale))
    torch.save(
        dict(state_dict={
            f'backbone.{k}': v
            for k, v in theirs.state_dict().items()
        }), tmp_path / 'vit.pth')
    images = torch.randn(2, 3, *SIZE)
    with torch.no_grad():
        tokens, = theirs(images)
    ours = load(tmp_path / 'vit.pth')
    check_tokens(patch_tokens(ours, images), tokens[:, 1:])
