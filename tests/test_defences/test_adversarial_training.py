"""Adversarial training against a reference by hand, and in whole runs."""

import pytest
import torch

from mmpose_raf.engine.preflight import check_run
from mmpose_raf.errors import ConfigError
from tests.test_defences.by_hand import DefendedByHand
from tests.test_engine.by_hand import FederationByHand, assert_like_by_hand
from tests.toy import (Witness, hook_of, run, run_broken_off, toy_clients,
                       toy_config)

DEFENCE = dict(type='AdversarialTraining', eps=6., step_size=2., steps=2,
               share=.5)


class ByHand(DefendedByHand):
    """Trains on half of each batch as the formula of PGD says."""

    def harden(self, model, images, samples):
        ladder = getattr(model, 'ladder', [])
        model.ladder = []  # it attacks images at their own size
        try:
            return self.attack(model, images, samples)
        finally:
            model.ladder = ladder

    def attack(self, model, images, samples):
        count = -(-len(images) // 2)
        x, samples = images[:count], samples[:count]
        moved = (x + torch.empty_like(x).uniform_(-6, 6)).clamp(0, 255)
        for _ in range(2):
            moved = moved.clone().requires_grad_()
            slope, = torch.autograd.grad(
                self.loss_of(model, moved, samples), moved)
            moved = moved.detach() + 2 * slope.sign()
            moved = (x + (moved - x).clamp(-6, 6)).clamp(0, 255)
        return torch.cat([moved, images[count:]])


@pytest.mark.parametrize('raf', [
    True, pytest.param(False, marks=pytest.mark.slow)])
def test_rounds_are_those_by_hand(tmp_path, raf):
    options = dict(rounds=2, raf=raf, hooks=[dict(type='Witness')],
                   optim_wrapper=dict(optimizer=dict(type='SGD', lr=.05)))
    cfg = toy_config(tmp_path, local_defence=DEFENCE, **options)
    runner = run(cfg)
    seen = hook_of(runner, Witness)
    assert_like_by_hand(seen.rounds, ByHand(cfg, seen.first),
                        FederationByHand(cfg, seen.first), atol=2e-5,
                        least=1e-4)


def test_a_hostile_client_does_not_defend(tmp_path):
    clients = toy_clients('high', 'low')
    clients[1]['attack'] = dict(type='MoveKeypoints')
    cfg = toy_config(tmp_path, clients=clients, rounds=1,
                     hooks=[dict(type='Witness')],
                     optim_wrapper=dict(optimizer=dict(type='SGD', lr=.05)),
                     local_defence=[DEFENCE])
    seen = hook_of(run(cfg), Witness)
    by_hand = ByHand(cfg, seen.first)
    by_hand.hostile = ('low', )
    assert_like_by_hand(seen.rounds, by_hand, ByHand(cfg, seen.first),
                        atol=2e-5, least=1e-5)


def test_resume_is_exact(tmp_path):
    options = dict(rounds=3, drop_path_rate=.1, local_defence=DEFENCE)
    run_broken_off(tmp_path, **options)
    other = toy_config(tmp_path / 'whole', rounds=4, drop_path_rate=.1)
    with pytest.raises(ConfigError, match='local_defence'):
        run(other, resume=True)


@pytest.mark.parametrize('defence, message', [
    (dict(type='Nonsense'), 'local_defence: got'),
    ('AdversarialTraining', 'use dict\\(type='),
    (dict(DEFENCE, eps=0), 'eps must be'),
    (dict(DEFENCE, share=2), 'share must lie'),
    (dict(DEFENCE, extra=2), 'extra: .* no such argument'),
])
def test_wrong_settings(tmp_path, defence, message):
    cfg = toy_config(tmp_path / 'run', local_defence=defence)
    with pytest.raises(ConfigError, match=message):
        check_run(cfg)
    assert not (tmp_path / 'run').exists()


def test_evaluation_under_attack(tmp_path):
    """The metric sees other images, and worse ones the larger eps is."""

    def score(name, *hooks, pack=True):
        cfg = toy_config(tmp_path / name, rounds=2, val=True, hooks=hooks,
                         num_samples=12)
        cfg.val_dataloader.dataset.pipeline[-1]['pack_transformed'] = pack
        return run(cfg).message_hub.get_scalar('val/score').current()

    clean = score('clean')
    little, much = (score(f'eps{eps}', dict(type='PGDHook', eps=eps,
                                            step_size=eps / 2, steps=4))
                    for eps in (.01, 30.))
    assert abs(little - clean) < abs(much - clean) / 10
    with pytest.raises(ConfigError, match='val_dataloader.*pack_transformed'):
        score('unpacked', dict(type='PGDHook'), pack=False)
