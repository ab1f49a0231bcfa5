"""Local objectives on quadratics, against the formulas of their papers.

Client i minimises 1/2 (w - b_i)' A_i (w - b_i): the optimum of the sum is
known, and so is everything on the way.
"""

import copy

import numpy as np
import pytest
import torch
from mmpose_raf.federation import (MOON, SCAFFOLD, ClientUpdate,
                                   FeatureAlignment, FedAvg, FedDyn, FedProx,
                                   PGFed, TrainingStart)

CURVES = [np.diag([1., .2, .5]), np.diag([.1, 1., .5]), np.diag([.6, .4, 1.])]
OPTIMA = [np.array([3., -1., 0.]), np.array([-2., 2., 1.]),
          np.array([0., 1., -3.])]
# Of the sum: (sum A)^-1 sum A b
BEST = np.linalg.solve(sum(CURVES),
                       sum(a @ b for a, b in zip(CURVES, OPTIMA)))


def train(objective, rounds, steps=10, lr=.3, present=lambda round_: range(3),
          memories=None):
    """Rounds of SGD with an objective, as trainer and server call it."""
    state = dict(w=torch.zeros(3, dtype=torch.float64))
    memories = {} if memories is None else memories
    for round_ in range(rounds):
        updates = []
        for i in present(round_):
            download = objective.download(str(i)) if objective else {}
            w, upload = state['w'].clone(), {}
            start = TrainingStart(state, memories.get(i, {}), download)
            curve, optimum = torch.tensor(CURVES[i]), torch.tensor(OPTIMA[i])
            losses = []
            for _ in range(steps):
                gradient = curve @ (w - optimum)
                losses.append((w - optimum) @ gradient / 2)
                if objective is not None:
                    objective.observe(dict(w=w), dict(w=gradient), start)
                    gradient = gradient + objective.gradient(
                        dict(w=w), start).get('w', 0)
                w = w - lr * gradient
            if objective is not None:
                memories[i], upload = objective.finish_client(
                    dict(w=w), start, dict(w=steps * lr))
            updates.append(
                ClientUpdate(
                    str(i),
                    dict(w=w),
                    1,
                    metrics=dict(loss=float(np.mean(losses))),
                    upload=upload))
        mean = FedAvg().aggregate(state, updates)
        if objective is not None:
            mean = objective.finish_round(state, mean, updates, 3)
        state = mean
    return state['w'].numpy()


def gap(w):
    return np.linalg.norm(w - BEST)


def test_several_local_steps_are_biased():
    """FedAvg stops at a point that is not the optimum."""
    far, further = train(None, 200), train(None, 400)
    assert gap(far) > .2
    np.testing.assert_allclose(far, further, atol=1e-6)


@pytest.mark.parametrize('objective', [SCAFFOLD(), FedDyn(.3)])
def test_the_optimum_is_reached(objective):
    assert gap(train(objective, 600)) < 1e-4


@pytest.mark.parametrize('objective', [SCAFFOLD(), FedDyn(.3)])
def test_the_optimum_is_reached_by_two_of_three_a_round(objective):
    found = train(objective, 3000, present=lambda r: {0, 1, 2} - {r % 3})
    assert gap(found) < 1e-3


def test_fedprox_by_its_formula():
    """One round: w <- w - lr (A (w - b) + mu (w - w_t)), from w_t = 0."""
    expected = []
    for curve, optimum in zip(CURVES, OPTIMA):
        w = np.zeros(3)
        for _ in range(10):
            w = w - .3 * (curve @ (w - optimum) + .7 * w)
        expected.append(w)
    np.testing.assert_allclose(train(FedProx(.7), 1), np.mean(expected, 0))


def test_fedprox_pulls_to_where_the_client_started():
    """The stronger it is, the shorter is the way: its sign is right."""
    ways = [np.linalg.norm(train(FedProx(mu), 1)) for mu in (0, .5, 2.)]
    assert ways[0] > ways[1] > ways[2]
    np.testing.assert_allclose(train(FedProx(0), 5), train(None, 5))


def test_scaffold_by_its_algorithm():
    """Algorithm 1, option II, in numpy."""
    x, c = np.zeros(3), np.zeros(3)
    own = [np.zeros(3) for _ in range(3)]
    for _ in range(4):
        ends, changes = [], []
        for i, (curve, optimum) in enumerate(zip(CURVES, OPTIMA)):
            y = x.copy()
            for _ in range(10):
                y = y - .3 * (curve @ (y - optimum) - own[i] + c)
            new = own[i] - c + (x - y) / (10 * .3)
            changes.append(new - own[i])
            own[i] = new
            ends.append(y)
        x = np.mean(ends, 0)
        c = c + sum(changes) / 3
    np.testing.assert_allclose(train(SCAFFOLD(), 4), x, rtol=1e-6)


@pytest.mark.parametrize('make', [
    lambda: FedProx(1.), SCAFFOLD, lambda: FedDyn(.3), lambda: PGFed(.3)])
def test_parameters_without_a_gradient(make):
    """E.g. of a stage whose output nobody uses; they stay as they are."""
    objective = make()
    start = dict(used=torch.ones(2), unused=torch.ones(3))
    end = dict(start, used=torch.zeros(2))
    memory = {}
    for _ in range(2):
        part = dict(used=torch.full((2, ), .5))
        begun = TrainingStart(start, memory, objective.download('a'))
        objective.observe(part, dict(used=torch.ones(2)), begun)
        added = objective.gradient(part, begun)
        assert all(value.isfinite().all() for value in added.values())
        memory, upload = objective.finish_client(end, begun,
                                                 dict(used=1., unused=0.))
        update = ClientUpdate('a', end, 1, dict(loss=1.), upload=upload)
        result = objective.finish_round(start, end, [update], 1)
        assert result['unused'].tolist() == [1, 1, 1]


def test_feddyn_by_its_algorithm():
    """Algorithm 1 of the paper, with the linear term kept as a gradient."""
    alpha, w, h = .3, np.zeros(3), np.zeros(3)
    g = [np.zeros(3) for _ in range(3)]
    for _ in range(4):
        ends = []
        for i, (curve, optimum) in enumerate(zip(CURVES, OPTIMA)):
            theta = w.copy()
            for _ in range(10):
                theta = theta - .3 * (curve @ (theta - optimum) - g[i] +
                                      alpha * (theta - w))
            g[i] = g[i] - alpha * (theta - w)
            ends.append(theta)
        h = h - alpha / 3 * sum(theta - w for theta in ends)
        w = np.mean(ends, 0) - h / alpha
    np.testing.assert_allclose(train(FedDyn(alpha), 4), w, rtol=1e-6)


@pytest.mark.parametrize('beta, rate', [(0., .002), (.5, .002), (.5, .05)])
def test_pgfed_by_its_algorithm(beta, rate):
    """In numpy; client 1 misses the third round. A high rate takes
    coefficients to 0."""
    mu, steps, lr = .4, 10, .3
    x, a = np.zeros(3), np.full((3, 3), np.nan)
    known, sums, present = {}, {}, [{0, 1, 2}, {0, 1, 2}, {0, 2}, {0, 1, 2}]
    for there in present:
        ends, new = [], {}
        for i in sorted(there):
            w, extra = x.copy(), np.zeros(3)
            for j in known:
                a[i, j] = 1 / len(known) if np.isnan(a[i, j]) else a[i, j]
                extra = extra + mu * a[i, j] * known[j][0]
            if known:
                mean = mu * np.mean([g for g, _ in known.values()], 0)
                if beta and i in sums:
                    extra = (1 - beta) * extra + beta * sums[i]
                sums[i] = extra
            gradients, losses = [], []
            for _ in range(steps):
                gradients.append(CURVES[i] @ (w - OPTIMA[i]))
                losses.append((w - OPTIMA[i]) @ gradients[-1] / 2)
                for j, (_, rest) in known.items():
                    a[i, j] = max(0, a[i, j] - rate * (mu * rest + mean @ w))
                w = w - lr * (gradients[-1] + extra)
            g = np.mean(gradients, 0)
            new[i] = g, np.mean(losses) - g @ w
            ends.append(w)
        x, known = np.mean(ends, 0), new
    objective = PGFed(mu, rate, beta)
    found = train(objective, 4, present=lambda r: sorted(present[r]))
    np.testing.assert_allclose(found, x, rtol=1e-6)
    learned = [[objective.coefficients[str(i)][str(j)] for j in range(3)]
               for i in range(3)]
    np.testing.assert_allclose(learned, a, rtol=1e-5)
    assert (a == 0).any() == (rate > .01)
    assert np.ptp(a) > .005


def test_pgfed_follows_the_others():
    """The more weight their risks have, the nearer a client comes to them."""

    def way(mu):
        objective, memories = PGFed(mu, 1e-9), {}
        train(objective, 1, memories=memories)
        start = TrainingStart(dict(w=torch.zeros(3).double()), {},
                              objective.download('0'))
        return objective.gradient(dict(w=torch.zeros(3).double()), start)['w']

    weak, strong = way(.1), way(1.)
    torch.testing.assert_close(10 * weak, strong)
    # Down the hill of the mean of the risks.
    slope = -sum(a @ b for a, b in zip(CURVES, OPTIMA))
    assert np.dot(strong.numpy(), slope) > 0


def test_pgfed_without_a_loss():
    update = ClientUpdate('a', dict(w=torch.ones(3)), 1, upload=dict(
        product=torch.ones(())))
    with pytest.raises(ValueError, match='of client a'):
        PGFed().finish_round({}, {}, [update], 1)


def test_moon_by_its_formula():
    rng = np.random.default_rng(0)
    now, start, last = rng.normal(size=(3, 5, 8))

    def cosine(a, b):
        return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(
            b, axis=1)

    positive = np.exp(cosine(now, start) / .5)
    negative = np.exp(cosine(now, last) / .5)
    expected = 2 * -np.log(positive / (positive + negative)).mean()
    found = MOON(mu=2., temperature=.5).feature_loss(
        torch.tensor(now), [torch.tensor(start),
                            torch.tensor(last)])
    assert found.item() == pytest.approx(expected)


def test_moon_pulls_to_the_global_and_away_from_the_previous_model():
    features = torch.zeros(1, 2, requires_grad=True)
    ahead, behind = torch.tensor([[1., 0.]]), torch.tensor([[-1., 0.]])
    features.data[0, 1] = 1.
    MOON().feature_loss(features, [ahead, behind]).backward()
    assert features.grad[0, 0] < -.1


def test_moon_keeps_what_it_compares():
    moon = MOON(feature_module='body')
    state = {'body.w': torch.ones(2), 'head.w': torch.ones(3)}
    assert moon.references(TrainingStart(state)) == []
    memory, upload = moon.finish_client(state, TrainingStart(state), {})
    assert upload == {}
    state['body.w'].zero_()  # the model goes on to the next client
    anchor, previous = moon.references(TrainingStart(state, memory))
    assert anchor is state
    assert list(previous) == ['body.w'] and previous['body.w'].tolist() == [
        1, 1]


def test_feature_alignment_by_its_formula():
    rng = np.random.default_rng(0)
    shapes = [(3, 5, 8), (3, 4, 2, 2)]
    own, anchor = ([rng.normal(size=shape) for shape in shapes]
                   for _ in range(2))
    expected = 2 * np.mean([np.mean((f - g)**2) for f, g in zip(own, anchor)])
    found = FeatureAlignment(2.).layer_loss(
        [torch.tensor(f) for f in own], [[torch.tensor(g) for g in anchor]])
    assert found.item() == pytest.approx(expected)


def test_what_is_sent_beside_the_weights():
    """Only SCAFFOLD sends anything."""
    scaffold = SCAFFOLD()
    train(scaffold, 1, present=lambda round_: [0])
    assert list(scaffold.download('0')) == ['w']
    ends = dict(w=torch.ones(3)), TrainingStart(dict(w=torch.zeros(3)))
    _, upload = scaffold.finish_client(*ends, dict(w=1.))
    assert upload['w'].shape == (3, )
    for objective in (FedProx(1.), FedDyn(1.), MOON()):
        _, upload = objective.finish_client(*ends, dict(w=1.))
        assert objective.download('0') == upload == {}


@pytest.mark.parametrize('make', [
    SCAFFOLD, lambda: FedDyn(.3), lambda: PGFed(.3, momentum=.5)])
def test_state_is_all_there_is(make):
    """What is restored in the middle goes on as if nothing had happened."""
    first, memories = make(), {}
    train(first, 3, memories=memories)
    saved = copy.deepcopy((first.state_dict(), memories))
    second = make()
    second.load_state_dict(saved[0])
    np.testing.assert_array_equal(train(first, 2, memories=memories),
                                  train(second, 2, memories=saved[1]))


@pytest.mark.parametrize('make', [
    lambda: FedProx(-1), lambda: FedDyn(0), lambda: MOON(mu=-1),
    lambda: MOON(temperature=0), lambda: FeatureAlignment(-1),
    lambda: FeatureAlignment(1, layers='layers.0'),
    lambda: FeatureAlignment(1, layers=[]), lambda: PGFed(0),
    lambda: PGFed(momentum=1), lambda: PGFed(coefficient_lr=-1)
])
def test_wrong_arguments(make):
    with pytest.raises(ValueError, match='must (be|lie)'):
        make()
