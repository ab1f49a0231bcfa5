"""States that are moved beside the training."""

import pytest
import torch

from mmpose_raf.engine.host_transfer import HostTransfer
from tests.toy import Witness, hook_of, run, toy_config


def moments(device):
    return {0: dict(exp_avg=torch.randn(2000, 2000, device=device),
                    step=torch.tensor(3.))}


CPU, META = torch.device('cpu'), torch.device('meta')


@pytest.mark.parametrize('device', [CPU, META])
def test_states_that_wait_where_the_model_is_are_not_moved(device):
    transfer = HostTransfer(device, device)
    tree = moments(device)
    for moved in (transfer.store(tree), transfer.fetch(tree)):
        assert moved[0]['exp_avg'] is tree[0]['exp_avg']
        assert moved[0]['step'] is tree[0]['step']
    transfer.join()
    transfer.finish()


def test_states_are_moved_but_for_their_step_counters():
    """With torch's meta device in the place of one that is not CUDA's."""
    transfer = HostTransfer(META, CPU)
    moved = transfer.fetch(moments(CPU))
    transfer.join()
    assert moved[0]['exp_avg'].device == META
    assert moved[0]['step'].device == CPU


@pytest.mark.gpu
def test_there_and_back_on_a_gpu():
    device = torch.device('cuda')
    transfer = HostTransfer(device, CPU, overlap=True)
    tree = moments(device)
    expected = tree[0]['exp_avg'].cpu()
    host = transfer.store(tree)
    transfer.finish()
    assert host[0]['exp_avg'].is_pinned()
    assert torch.equal(host[0]['exp_avg'], expected)
    back = transfer.fetch(host)
    assert not back[0]['step'].is_cuda
    transfer.join()
    assert torch.equal((back[0]['exp_avg'] * 2).cpu(), expected * 2)


@pytest.mark.gpu
def test_what_is_computed_first_is_copied_on_a_gpu():
    """The copy waits for the computation, and the memory for the copy."""
    device = torch.device('cuda')
    transfer = HostTransfer(device, CPU, overlap=True)
    for _ in range(20):
        value = torch.zeros(4000, 4000, device=device)
        for _ in range(50):
            value += 1
        host = transfer.store(dict(value=value))
        del value
        torch.full((4000, 4000), -1., device=device)
        transfer.finish()
        assert (host['value'] == 50).all()


@pytest.mark.gpu
def test_where_states_wait_changes_nothing_on_a_gpu(tmp_path):
    rounds = []
    for state_device in ('cpu', 'model'):
        runner = run(toy_config(tmp_path / state_device,
                                clients=('high', 'mid', 'low'),
                                rounds=3,
                                execution=dict(state_device=state_device,
                                               overlap=True),
                                hooks=[dict(type='Witness')]),
                     device='cuda')
        rounds.append([dict(state) for state in
                       hook_of(runner, Witness).rounds])
    # Not to the bit: kernels of a GPU add in any order.
    torch.testing.assert_close(*rounds, rtol=1e-3, atol=1e-3)


def test_the_next_client_is_prepared(tmp_path, monkeypatch):
    """While another trains, once for each turn."""
    calls = []
    fetch, train = HostTransfer.fetch, Witness.before_train_iter

    def note_fetch(self, tree):
        calls.append(('fetch', len(tree) > 0))
        return fetch(self, tree)

    def note_train(self, runner, batch_idx, data_batch=None):
        client = data_batch['data_samples'][0].client
        if not calls or calls[-1] != ('train', client):
            calls.append(('train', client))
        train(self, runner, batch_idx, data_batch)

    monkeypatch.setattr(HostTransfer, 'fetch', note_fetch)
    monkeypatch.setattr(Witness, 'before_train_iter', note_train)
    run(toy_config(tmp_path,
                   clients=('high', 'mid', 'low'),
                   num_samples=30,
                   rounds=2,
                   hooks=[dict(type='Witness')]))
    new, old = ('fetch', False), ('fetch', True)
    # The first one of a round at its turn, the others before the last batch
    # of who is before them.
    assert calls == [
        turn for fetch in (new, old)
        for turn in (fetch, ('train', 'high'), fetch, ('train', 'high'),
                     ('train', 'mid'), fetch, ('train', 'mid'),
                     ('train', 'low'))
    ]
