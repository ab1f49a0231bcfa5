"""``model.torch_compile``: the same training, compiled once for each size."""

import copy
import shutil

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.utils import digit_version
from mmpose.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import compiled_function
from tests.test_models.test_early_backward import PlainViT
from tests.toy import (HOOKS, OPTIMIZER, SIZES, hook_of, run, toy_config,
                       toy_dataset, toy_model, weights_of)

CLIENTS = ('high', 'mid', 'low')

pytestmark = pytest.mark.skipif(
    digit_version(torch.__version__) < digit_version('2.5'),
    reason='torch before 2.5 cannot compile the model')


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


class CountGraphs:
    """A backend that compiles nothing, but counts what it is given."""

    def __init__(self):
        self.count = 0

    def __call__(self, graph, inputs):
        self.count += 1
        return graph.forward

    def __deepcopy__(self, memo):  # as configs do
        return self


@HOOKS.register_module(force=True)
class GraphsOfRounds(Hook):
    """Writes down how many graphs there are after each round."""

    def __init__(self, backend):
        self.backend, self.counts = backend, []

    def after_train_epoch(self, runner):
        self.counts.append(self.backend.count)


def assert_like_plain(cfg, backend):
    """Train with and without compiling to the same weights.

    Returns:
        Runner: Of the compiled training.
    """
    plain = weights_of(run(cfg))
    runner = run(cfg, **{'model.torch_compile.backend': backend})
    compiled = weights_of(runner)
    for key in plain:
        torch.testing.assert_close(compiled[key],
                                   plain[key],
                                   rtol=1e-5,
                                   atol=1e-6)
    return runner


@pytest.mark.slow
def test_each_size_is_compiled_in_the_first_round_alone(tmp_path):
    # Learning rates and moments change all the time, weights in place; the
    # validation is at one size, the third client's last batch is smaller.
    backend = CountGraphs()
    cfg = toy_config(
        tmp_path,
        clients=CLIENTS,
        rounds=3,
        num_samples=12 + 11,
        batch_size=4,
        val=True,
        optim_wrapper=dict(optimizer=dict(OPTIMIZER),
                           clip_grad=dict(max_norm=1.)),
        param_scheduler=[
            dict(type='LinearLR',
                 start_factor=.1,
                 begin=0,
                 end=5,
                 by_epoch=False)
        ],
        hooks=[dict(type='GraphsOfRounds', backend=backend)])
    runner = assert_like_plain(cfg, backend)
    assert hook_of(runner, GraphsOfRounds).counts == [len(CLIENTS)] * 3


@pytest.mark.slow
def test_a_loss_on_features_is_compiled_as_well(tmp_path):
    cfg = toy_config(tmp_path,
                     clients=('high', 'low'),
                     rounds=2,
                     num_samples=8,
                     batch_size=2,
                     local_objective=dict(type='MOON', mu=1.))
    assert_like_plain(cfg, 'eager')


def batch_of(model, size, count=3):
    """Images and annotations of a batch at a size (w, h)."""
    dataset = DATASETS.build(toy_dataset(count, size=size, augmented=False))
    batch = pseudo_collate([dataset[i] for i in range(count)])
    return model.data_preprocessor(batch, True)


def build(seed=0, **changes):
    torch.manual_seed(seed)
    return MODELS.build(dict(toy_model(), **changes)).train()


def losses_and_gradients(model, size=SIZES['high'], count=3):
    torch.manual_seed(1)  # of the level drawn
    losses = model(**batch_of(model, size, count), mode='loss')
    model.zero_grad()
    model.parse_losses(losses)[0].backward()
    return losses, {
        name: parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }


def assert_steps_equal(model, plain, *args):
    """Fail unless losses and gradients differ by rounding alone."""
    losses, gradients = losses_and_gradients(model, *args)
    expected_losses, expected = losses_and_gradients(plain, *args)
    assert list(losses) == list(expected_losses)
    for key in losses:
        torch.testing.assert_close(losses[key],
                                   expected_losses[key],
                                   rtol=1e-5,
                                   atol=0)
    for key, gradient in gradients.items():
        scale = expected[key].abs().max().clamp(min=1e-6)
        assert (gradient - expected[key]).abs().max() <= 1e-5 * scale, key


@pytest.mark.parametrize('changes', [
    dict(),
    pytest.param(dict(distill=None, levels='one'), marks=pytest.mark.slow),
    pytest.param(dict(
        backbone=dict(toy_model()['backbone'], type=PlainViT),
        level_weights='area',
        distill=dict(type='MultiResolutionDistillLoss', teacher='highest',
                     resize='bilinear')), marks=pytest.mark.slow),
], ids=repr)  # yapf: disable
def test_a_compiled_step_equals_the_plain_one(changes):
    model = build(**changes, torch_compile=dict(backend='aot_eager'))
    assert_steps_equal(model, build(**changes))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None,
                    reason='inductor needs a C++ compiler on a CPU')
def test_a_step_of_inductor_equals_the_plain_one():
    model, plain = build(torch_compile=True), build()
    for count in (3, 2):
        assert_steps_equal(model, plain, SIZES['high'], count)


@pytest.mark.slow
def test_mixed_precision_is_compiled():
    backend = CountGraphs()
    plain, model = build(), build(torch_compile=dict(backend=backend))
    with torch.autocast('cpu', torch.bfloat16):
        assert_steps_equal(model, plain)
    assert backend.count == 1


def test_batches_of_one_size_share_a_graph():
    backend = CountGraphs()
    model = build(torch_compile=dict(backend=backend))
    for count in (4, 3, 5, 2):
        assert_steps_equal(model, build(), SIZES['low'], count)
    assert backend.count == 1


@pytest.mark.slow
def test_too_many_sizes_are_computed_without(monkeypatch):
    backend = CountGraphs()
    model, plain = build(torch_compile=dict(backend=backend)), build()
    monkeypatch.setattr(compiled_function, 'MAX_GRAPHS', 2)
    for name in (*CLIENTS, *CLIENTS):
        assert_steps_equal(model, plain, SIZES[name])
    assert backend.count == 2


@pytest.mark.slow
def test_more_shapes_than_torch_would_compile():
    """Of each size the usual batches and one of a single sample."""
    backend = CountGraphs()
    model, plain = build(torch_compile=dict(backend=backend)), build()
    sizes = [(side, side) for side in range(16, 96, 16)]
    for size in sizes:
        for count in (2, 1):
            assert_steps_equal(model, plain, size, count)
    assert backend.count == 2 * len(sizes)
    assert_steps_equal(model, plain, sizes[-1], 3)
    assert backend.count == 2 * len(sizes)


def test_nothing_but_training_is_compiled():
    backend = CountGraphs()
    model = build(torch_compile=dict(backend=backend)).eval()
    for size in SIZES.values():
        batch = batch_of(model, size)
        with torch.no_grad():
            model(**batch, mode='loss')
            model(**batch, mode='tensor')
    assert backend.count == 0


@pytest.mark.slow
def test_a_copy_trains_its_own_weights():
    backend = CountGraphs()
    model = build(torch_compile=dict(backend=backend))
    losses_and_gradients(model)
    clone = copy.deepcopy(model)
    for parameter in clone.parameters():
        torch.nn.init.normal_(parameter, std=.1)
    plain = build()
    plain.load_state_dict(clone.state_dict())
    assert_steps_equal(clone, plain)


@pytest.mark.parametrize('changes, message', [
    (dict(torch_compile='yes'), "got 'yes'; use True"),
    (dict(torch_compile=dict(mood='bad')), 'mood'),
    (dict(torch_compile=dict(backend='nonsense')), 'nonsense'),
    (dict(torch_compile=True, passes='in_turn'), "passes='joint'"),
])  # yapf: disable
def test_what_cannot_be_compiled_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        build(**changes)
    assert error.value.field == 'model.torch_compile'
