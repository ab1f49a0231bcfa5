"""Layer decay: who learns how fast."""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmpose.engine.optim_wrappers import (  # noqa: F401
    LayerDecayOptimWrapperConstructor)
from mmpose.registry import MODELS
from torch import nn

from mmpose_raf.errors import ConfigError
from tests.toy import CODEC, SIZES, toy_model

NUM_LAYERS = 3
RATE = .6
LR = 1e-3
DECAY = .05

VARIANTS = {
    'gpe, lpe': dict(),
    'gpe, class token': dict(lpe=False, with_cls_token=True),
    'ape': dict(pos_embed='ape', lpe=False),
    'ape, class token, lpe': dict(pos_embed='ape', with_cls_token=True),
}
HEADS = {
    'AnyResolutionHeatmapHead':
    dict(deconv_out_channels=(8, 8),
         deconv_kernel_sizes=(4, 4),
         decoder=dict(CODEC)),
    'HeatmapHead':
    dict(deconv_out_channels=None,
         conv_out_channels=(8, ),
         conv_kernel_sizes=(1, )),
    'RegressionHead':
    dict(num_joints=3),
}


def build_model(head='AnyResolutionHeatmapHead', **backbone):
    cfg = toy_model(raf=False)
    cfg['backbone'].update(arch=dict(embed_dims=16,
                                     num_layers=NUM_LAYERS,
                                     num_heads=2,
                                     feedforward_channels=32),
                           img_size=SIZES['high'][::-1],
                           **backbone)
    options = dict(HEADS[head])
    if head == 'RegressionHead':
        cfg['neck'] = dict(type='GlobalAveragePooling')
    else:
        options['out_channels'] = 3
    cfg['head'] = dict(type=head, in_channels=16, **options)
    return MODELS.build(cfg)


def build_optimizer(model,
                    constructor='ViTLayerDecayOptimWrapperConstructor',
                    **paramwise_cfg):
    paramwise_cfg = paramwise_cfg or dict(layer_decay_rate=RATE)
    return build_optim_wrapper(
        model,
        dict(constructor=constructor,
             optimizer=dict(type='AdamW', lr=LR, weight_decay=DECAY),
             paramwise_cfg=paramwise_cfg))


def settings_of(wrapper, model):
    """Learning rate and weight decay of each parameter, by its name."""
    names = {id(p): name for name, p in model.named_parameters()}
    settings = {}
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            name = names[id(parameter)]
            assert name not in settings, f'{name} is in two groups'
            settings[name] = (group['lr'], group['weight_decay'])
    return settings


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize('variant', VARIANTS)
def test_every_parameter(variant, head):
    model = build_model(head, **VARIANTS[variant])
    settings = settings_of(build_optimizer(model), model)
    assert set(settings) == {name for name, _ in model.named_parameters()}

    groups = {}
    for name, (lr, _) in settings.items():
        groups.setdefault(lr, set()).add(name)
    # lr * rate ** (n + 1), ..., lr: the embeddings, n blocks, the rest.
    rates = [LR * RATE**power for power in range(NUM_LAYERS + 1, -1, -1)]
    assert sorted(groups) == pytest.approx(rates)
    by_layer = [groups[lr] for lr in sorted(groups)]

    embeddings = {
        id(p)
        for part in (model.backbone.patch_embed, model.backbone.gpe)
        if part is not None for p in part.parameters()
    }
    embeddings |= {id(model.backbone.pos_embed), id(model.backbone.cls_token)}
    parts = [embeddings]
    parts += [{id(p)
               for p in layer.parameters()} for layer in model.backbone.layers]
    rest = [model.backbone.ln1, model.head]
    parts.append({id(p) for part in rest for p in part.parameters()})
    parameters = dict(model.named_parameters())
    existing = {id(parameter) for parameter in parameters.values()}
    for names, part in zip(by_layer, parts):
        assert {id(parameters[name]) for name in names} == part & existing


@pytest.mark.parametrize('variant', VARIANTS)
def test_weight_decay(variant):
    model = build_model(**VARIANTS[variant])
    settings = settings_of(build_optimizer(model), model)
    # By the type of the module, not by names.
    decayed = {
        f'{path}.weight'
        for path, module in model.named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d))
        and '.lpe' not in path and '.gpe' not in path
    }
    for name, (_, decay) in settings.items():
        assert decay == (DECAY if name in decayed else 0), name
    assert len(decayed) == 4 * NUM_LAYERS + 1 + 3


def test_names_in_the_groups():
    """They are written into the log, and are those of the parameters."""
    model = build_model()
    parameters = dict(model.named_parameters())
    for group in build_optimizer(model).optimizer.param_groups:
        assert [id(parameters[name]) for name in group['param_names']
                ] == [id(parameter) for parameter in group['params']]


@pytest.mark.parametrize('frozen_stages', [0, 2, NUM_LAYERS])
def test_frozen_parameters_are_left_out(frozen_stages):
    model = build_model(frozen_stages=frozen_stages)
    settings = settings_of(build_optimizer(model), model)
    assert set(settings) == {
        name
        for name, p in model.named_parameters() if p.requires_grad
    }
    assert not any(name.startswith('backbone.gpe') for name in settings)


def test_a_rate_of_one_is_no_decay():
    model = build_model()
    settings = settings_of(build_optimizer(model, layer_decay_rate=1), model)
    assert {lr for lr, _ in settings.values()} == {LR}


@pytest.mark.parametrize('variant', VARIANTS)
def test_like_mmpose_where_mmpose_knows_the_parameter(variant):
    """It does not know GPE, and decays class token and LPE."""
    model = build_model(**VARIANTS[variant])
    own = settings_of(build_optimizer(model), model)
    stock = settings_of(
        build_optimizer(model,
                        'LayerDecayOptimWrapperConstructor',
                        num_layers=NUM_LAYERS,
                        layer_decay_rate=RATE), model)
    assert set(own) == set(stock)
    for name in own:
        if '.gpe.' in name:
            assert own[name][0] < stock[name][0]
            continue
        assert own[name][0] == pytest.approx(stock[name][0]), name
        if '.lpe.' not in name and not name.endswith('cls_token'):
            assert own[name][1] == stock[name][1], name


def test_inside_a_wrapper():
    """The runner hands over a model that may be wrapped for DDP."""

    class Wrapper(nn.Module):

        def __init__(self, module):
            super().__init__()
            self.module = module

    model = build_model()
    wrapped = settings_of(build_optimizer(Wrapper(model)), model)
    assert wrapped == settings_of(build_optimizer(model), model)


def test_all_parameters_are_moved_by_a_step():
    model = build_model(with_cls_token=True)
    wrapper = build_optimizer(model)
    before = {name: p.clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    wrapper.step()
    for name, parameter in model.named_parameters():
        assert not torch.equal(parameter, before[name]), name


class Plain(nn.Module):
    """A model whose backbone is no ViT."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Linear(2, 2)


@pytest.mark.parametrize('build, paramwise_cfg, field', [
    (build_model, dict(layer_decay_rate=.5,
                       custom_keys={}), 'paramwise_cfg.custom_keys'),
    (build_model, dict(layer_decay_rate=.5,
                       bias_decay_mult=0.), 'paramwise_cfg.bias_decay_mult'),
    (build_model, dict(num_layers=3), 'paramwise_cfg.layer_decay_rate'),
    (build_model, dict(layer_decay_rate=0), 'paramwise_cfg.layer_decay_rate'),
    (build_model, dict(layer_decay_rate=1.1),
     'paramwise_cfg.layer_decay_rate'),
    (build_model, dict(layer_decay_rate='.5'),
     'paramwise_cfg.layer_decay_rate'),
    (build_model, dict(layer_decay_rate=.5,
                       num_layers=12), 'paramwise_cfg.num_layers'),
    (Plain, dict(layer_decay_rate=.5), 'constructor'),
])
def test_errors(build, paramwise_cfg, field):
    with pytest.raises(ConfigError) as error:
        build_optimizer(build(), **paramwise_cfg)
    assert error.value.field == f'optim_wrapper.{field}'


def test_no_rate_at_all():
    """MMEngine would make one group of everything."""
    with pytest.raises(ConfigError, match='paramwise_cfg: it is missing'):
        build_optim_wrapper(
            build_model(),
            dict(constructor='ViTLayerDecayOptimWrapperConstructor',
                 optimizer=dict(type='AdamW', lr=LR)))


def test_no_weight_decay_at_all():
    model = build_model()
    wrapper = build_optim_wrapper(
        model,
        dict(constructor='ViTLayerDecayOptimWrapperConstructor',
             optimizer=dict(type='SGD', lr=LR),
             paramwise_cfg=dict(layer_decay_rate=RATE)))
    assert {group['weight_decay']
            for group in wrapper.optimizer.param_groups} == {0.}
