"""What a user may get wrong, each told with the name of the field."""

from dataclasses import FrozenInstanceError

import pytest
from mmengine.config import Config
from mmengine.optim import LinearLR, OptimWrapper, OptimWrapperDict
from mmengine.registry import DATA_SAMPLERS, OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.runner import Runner
from torch.optim import SGD
from torch.utils.data import BatchSampler

from mmpose_raf.engine import FederationSettings
from mmpose_raf.engine.execution import Execution
from mmpose_raf.errors import ConfigError
from mmpose_raf.federation import FedAvg
from mmpose_raf.registry import AGGREGATORS
from tests.toy import (METAINFO, SIZES, run, toy_clients, toy_config,
                       toy_dataset, toy_pipeline)

CLIENTS = toy_clients('high', 'low')
NARROW = dict(clients=[dict(CLIENTS[0], width=.5)],
              aggregator=dict(type='HeteroFL'))


@pytest.mark.parametrize('arguments, field', [
    (dict(clients=[]), 'clients'),
    (dict(clients=[dict(CLIENTS[0], size=1)]), 'clients[0].size'),
    (dict(clients=[CLIENTS[0], CLIENTS[0]]), 'clients[1].name'),
    (dict(local_epochs=0), 'local_epochs'),
    (dict(local_epochs=1.5), 'local_epochs'),
    (dict(local_epochs=True), 'local_epochs'),
    (dict(participation=0), 'participation'),
    (dict(participation=1.1), 'participation'),
    (dict(participation=float('nan')), 'participation'),
    (dict(participation='0.5'), 'participation'),
    (dict(participation=True), 'participation'),
    (dict(participation=dict(share=.5)), 'participation.share'),
    (dict(optimizer_state='drop'), 'optimizer_state'),
    (dict(optimizer_state=['keep']), 'optimizer_state'),
    (dict(execution=dict(state_device='gpu')), 'execution.state_device'),
    (dict(execution=dict(overlap='yes')), 'execution.overlap'),
    (dict(execution='clients'), 'execution'),
    (dict(execution=dict(device='cpu')), 'execution'),
    (dict(seed=1), 'seed'),
    (dict(clientz=2), 'clientz'),
    (dict(partitioner=None), 'partitioner'),
    (dict(partitioner='RandomPartitioner'), 'partitioner'),
    (dict(partitioner=dict(samples_per_client=2)), 'partitioner'),
    (dict(partitioner=dict(type='Random')), 'partitioner'),
    (dict(partitioner=dict(type='RandomPartitioner', alpha=1)), 'partitioner'),
    (dict(aggregator='FedAvg'), 'aggregator'),
    (dict(aggregator=dict(type='FedAverage')), 'aggregator'),
    (dict(aggregator=dict(type='FedAvg', weights=1)), 'aggregator'),
    (dict(aggregator=dict(type='FedAvg', weighting='size')), 'aggregator'),
    (dict(local_objective=dict(type='FedProx')), 'local_objective'),
    (dict(local_objective='FedProx'), 'local_objective'),
    (dict(participation=dict(presence=2)), 'participation.presence.high'),
    (dict(participation=dict(presence=dict(mid=.5))),
     'participation.presence.mid'),
    (dict(aggregator=dict(type='LearnableWeights')), 'aggregator'),
    (dict(aggregator=dict(type='LearnableWeights', proxy_samples=.5)),
     'aggregator'),
    (dict(aggregator=dict(type='FedAvg', proxy_samples=4)), 'aggregator'),
    (dict(aggregator=dict(type='FedAdagrad', beta2=.9)), 'aggregator'),
    (dict(aggregator=dict(type='Krum')), 'clients'),
    (dict(aggregator=dict(type='DiscrepancyAware', b='x')), 'aggregator'),
    (dict(adapters='LoRA'), 'adapters'),
    (dict(adapters=dict(type='LoRA', rank=0)), 'adapters.rank'),
    (dict(keep_updates=1), 'keep_updates'),
    (dict(payload='int4'), 'payload'),
    (dict(payload=['int8']), 'payload'),
    (dict(asynchronous=True), 'asynchronous'),
    (dict(aggregator=dict(type='StalenessAware')), 'clients'),
    (dict(aggregator=dict(type='StalenessAware'),
          local_objective=dict(type='SCAFFOLD')), 'local_objective'),
    (dict(local_objective=dict(type='FreshModel')), 'local_objective'),
    (dict(local_objective=dict(type='FreshModel', at=1)), 'local_objective'),
    (dict(clients=[dict(CLIENTS[0], samples_per_second=1), CLIENTS[1]]),
     'clients'),
    (dict(clients=[dict(CLIENTS[0], width=0)]), 'clients[0].width'),
    (dict(clients=[dict(CLIENTS[0], width=1.5)]), 'clients[0].width'),
    (dict(clients=[dict(CLIENTS[0], width=True)]), 'clients[0].width'),
    (dict(clients=[CLIENTS[0], dict(CLIENTS[1], width=.5)]),
     'clients[1].width'),
    (dict(NARROW, aggregator=dict(type='NormClipping', max_norm=1.,
                                  then=dict(type='HeteroFL'))),
     'clients[0].width'),
    (dict(NARROW, local_objective=dict(type='SCAFFOLD')), 'local_objective'),
    (dict(NARROW, aggregator=dict(type='FedConv', proxy_samples=0)),
     'aggregator'),
    (dict(NARROW, aggregator=dict(type='FedConv', proxy_samples=4, kl=-1)),
     'aggregator'),
    (dict(NARROW, aggregator=dict(type='FedRolex'), local_params='norm'),
     'local_params'),
    (dict(clients=[*NARROW['clients'], dict(CLIENTS[1], attack=dict(
        type='ALittleIsEnough'))], aggregator=dict(type='HeteroFL')),
     'clients[1].attack'),
    (dict(clients=[dict(CLIENTS[0], samples_per_second=0)]),
     'clients[0].samples_per_second'),
])
def test_settings(arguments, field):
    with pytest.raises(ConfigError) as error:
        FederationSettings.parse({'clients': CLIENTS, **arguments}, seed=0)
    # Or one of its arguments.
    assert f'{error.value.field}.'.startswith(f'federation.{field}.')
    assert '\n' not in str(error.value)


def test_partitioners_name_their_own_arguments():
    with pytest.raises(ConfigError) as error:
        FederationSettings.parse(
            dict(clients=CLIENTS,
                 partitioner=dict(type='RandomPartitioner',
                                  samples_per_client=0)), seed=0)
    assert error.value.field == 'RandomPartitioner.samples_per_client'


def test_settings_of_a_config():
    """Those under ``federation`` override the hook's, at any depth."""
    cfg = Config(
        dict(randomness=dict(seed=2**40),
             custom_hooks=[
                 dict(type='SyncBuffersHook'),
                 dict(type='FederatedHook',
                      clients=CLIENTS,
                      local_epochs=3,
                      aggregator=dict(type='FedAvg', weighting='samples'),
                      execution=dict(state_device='model'))
             ],
             federation=dict(local_epochs=2,
                             participation=.5,
                             execution=dict(parallel='clients'))))
    settings = FederationSettings.of_config(cfg)
    assert [client.name for client in settings.clients] == ['high', 'low']
    assert (settings.local_epochs, settings.seed) == (2, 2**40)
    assert settings.execution == Execution('clients', 'model', False)
    assert settings.build_aggregator().weighting == 'samples'
    assert settings.participation.num_participants == 1
    assert not settings.is_asynchronous
    with pytest.raises(FrozenInstanceError):
        settings.local_epochs = 1


def test_a_config_without_the_hook_has_no_federation():
    assert FederationSettings.of_config(
        Config(dict(federation=dict(clients=CLIENTS)))) is None


def test_settings_of_earlier_versions_say_what_they_have_become():
    with pytest.raises(ConfigError, match='use participation'):
        FederationSettings.parse(dict(clients=CLIENTS, client_fraction=.5), 0)


@pytest.mark.parametrize('seed', [-1, .5, True, 'x'])
def test_wrong_seeds(seed):
    with pytest.raises(ConfigError, match='randomness.seed: got'):
        FederationSettings.of_config(
            Config(
                dict(randomness=dict(seed=seed),
                     custom_hooks=[
                         dict(type='FederatedHook', clients=CLIENTS)
                     ])))


@AGGREGATORS.register_module(force=True)
class Broken(FedAvg):
    """A plugin with a bug."""

    def aggregate(self, global_state, updates):
        return int('x')


def test_a_plugins_bug_keeps_its_traceback(tmp_path):
    with pytest.raises(ValueError) as error:
        run(toy_config(tmp_path, aggregator=dict(type='Broken')))
    assert not isinstance(error.value, ConfigError)


def error_of(cfg):
    with pytest.raises(ConfigError) as error:
        run(cfg)
    assert '\n' not in str(error.value)
    return error.value


def test_client_without_samples(tmp_path):
    """The persons of the toy are at most 75 pixels high in their images."""
    cfg = toy_config(tmp_path,
                     clients=[
                         dict(name='huge', input_size=(480, 640)),
                         dict(name='low', input_size=SIZES['low'])
                     ],
                     partitioner=dict(type='NativeResolutionPartitioner'))
    error = error_of(cfg)
    assert error.field == "federation.clients: client 'huge'"
    assert 'no samples' in str(error)


def test_client_with_an_empty_dataset(tmp_path):
    clients = [
        dict(client, dataset=toy_dataset(count))
        for client, count in zip(CLIENTS, (3, 0))
    ]
    error = error_of(toy_config(tmp_path, clients=clients))
    assert error.field == "federation.clients: client 'low'"


@pytest.mark.parametrize('size', [(48, 60), (40, 64)])
def test_input_size_that_the_patch_does_not_divide(tmp_path, size):
    clients = [CLIENTS[1], dict(name='odd', input_size=size)]
    error = error_of(toy_config(tmp_path, clients=clients))
    assert error.field == 'federation.clients[1].input_size'
    assert '16' in str(error)


def test_iterations_instead_of_rounds(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.train_cfg = dict(by_epoch=False, max_iters=3)
    assert error_of(cfg).field == 'train_cfg'


def test_checkpoints_in_mid_round(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook',
                                        by_epoch=False,
                                        interval=2)
    assert error_of(cfg).field == 'default_hooks.checkpoint.by_epoch'


def test_own_batch_sampler(tmp_path):
    cfg = toy_config(tmp_path)
    DATA_SAMPLERS.register_module(module=BatchSampler, force=True)
    cfg.train_dataloader.pop('batch_size')
    cfg.train_dataloader.batch_sampler = dict(type='BatchSampler',
                                              batch_size=2,
                                              drop_last=False)
    assert error_of(cfg).field == 'train_dataloader.batch_sampler'


def test_drop_last_that_leaves_a_client_nothing(tmp_path):
    cfg = toy_config(tmp_path, num_samples=9, batch_size=5)
    cfg.train_dataloader.drop_last = True
    error = error_of(cfg)
    assert error.field == 'train_dataloader.batch_size'
    assert "'low'" in str(error)
    cfg.train_dataloader.batch_size = 4
    assert run(cfg).iter == 4


def test_schedule_that_follows_a_metric(tmp_path):
    cfg = toy_config(tmp_path,
                     val=True,
                     param_scheduler=[
                         dict(type='ReduceOnPlateauLR',
                              monitor='score',
                              by_epoch=True)
                     ])
    error = error_of(cfg)
    assert error.field == 'param_scheduler'
    assert 'ReduceOnPlateauLR' in str(error)


def test_two_optimizers(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.optim_wrapper = dict(constructor='TwoOptimizers')

    @OPTIM_WRAPPER_CONSTRUCTORS.register_module(force=True)
    class TwoOptimizers:

        def __init__(self, optim_wrapper_cfg, paramwise_cfg=None):
            pass

        def __call__(self, model):
            return OptimWrapperDict(
                backbone=OptimWrapper(SGD(model.backbone.parameters(), .1)),
                head=OptimWrapper(SGD(model.head.parameters(), .1)))

    error = error_of(cfg)
    assert error.field == 'optim_wrapper'
    assert 'OptimWrapperDict' in str(error)


def test_schedulers_that_are_built_already(tmp_path):
    """Nobody can tell how to build those of the clients."""
    cfg = toy_config(tmp_path)
    runner = Runner.from_cfg(cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(cfg.optim_wrapper)
    runner.param_schedulers = [LinearLR(runner.optim_wrapper)]
    with pytest.raises(ConfigError) as error:
        runner.train()
    assert error.value.field == 'param_scheduler'


def test_dataset_without_a_pipeline_of_its_own(tmp_path):
    part = toy_dataset(4)
    cfg = toy_config(tmp_path)
    cfg.train_dataloader.dataset = dict(type='ConcatDataset',
                                        datasets=[part,
                                                  dict(part, first=10)])
    error = error_of(cfg)
    assert error.field == 'train_dataloader.dataset'
    assert 'CombinedDataset' in str(error)


def test_what_that_error_advises_works(tmp_path):
    parts = [
        dict(type='ToyDataset', num_samples=4, first=first, pipeline=[])
        for first in (0, 10)
    ]
    cfg = toy_config(tmp_path, rounds=1)
    cfg.train_dataloader.dataset = dict(type='CombinedDataset',
                                        metainfo=METAINFO,
                                        datasets=parts,
                                        pipeline=toy_pipeline())
    assert run(cfg).epoch == 1


def test_pipeline_that_is_not_top_down(tmp_path):
    cfg = toy_config(tmp_path)
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='LoadImage'),
        dict(type='PackPoseInputs')
    ]
    error = error_of(cfg)
    assert error.field == 'train_dataloader.dataset.pipeline'
