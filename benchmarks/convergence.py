"""How fast a federation with RAF's losses converges: O(1/T)?

The paper (arXiv 2507.23461) argues on the linearised problem: the features
stay as they are and only the final linear layer W is trained, P_l = Phi_l W
at level l. With L2 regularisation that is strongly convex, where FedAvg with
several local steps and a decaying step is known to converge as O(1/T) (Li et
al., "On the Convergence of FedAvg on Non-IID Data", ICLR 2020, arXiv
1907.02189, theorem 1), though not with a constant step (theorem 4).

Here three clients, high, mid and low, train W on random images with this
project's ladder, losses and FedAvg. As no gradient enters the teacher, the
expected update A W - b is affine but, with distillation, not the gradient of
any function (A is not symmetric). The optimum is where it vanishes, W* =
A^-1 b, computed here apart from the training.

    python benchmarks/convergence.py --out work_dirs/convergence
"""

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose.codecs import UDPHeatmap  # isort: skip
from mmpose.models.losses import KeypointMSELoss  # isort: skip

from mmpose_raf.federation import ClientUpdate, FedAvg
from mmpose_raf.models.codecs import resize_codec
from mmpose_raf.models.heatmap_targets import encode_batch
from mmpose_raf.models.ladder import levels_of, resample, weigh_levels
from mmpose_raf.models.losses import MultiResolutionDistillLoss
from mmpose_raf.sizes import Size
from mmpose_raf.tables import render_table
from mmpose_raf.visualization.line_plot import DPI, WIDTH, line_style

# Sizes (w, h): a quarter of the paper's
LADDER = dict(high=(48, 64), mid=(36, 48), low=(24, 32))
# The paper's widths: equal in heatmap pixels, so that levels disagree
CODEC = UDPHeatmap(LADDER['high'], (12, 16), sigma=2)
NUM_SAMPLES = 32
NUM_KEYPOINTS = 4
NUM_FEATURES = 16
PATCH = 4
# Of ||W||^2. The mean over cells makes the losses' own curvature small.
GAMMA = 0.05
NUM_LOCAL_STEPS = 5
BATCH_SIZE = 2
NUM_SEEDS = 8
NUM_STEPS = 5000
NUM_POINTS = 37
# The end of the range of T, in decades, that a slope is fitted to
FIT_DECADES = 1
# Columns of the table
SHOWN_STEPS = (5, 50, 500, 5000)

TASK_LOSS = KeypointMSELoss(use_target_weight=True)


@dataclass
class Client:
    """What a client of the linearised problem holds.

    Args:
        levels (list[tuple[int, int]]): n input sizes (w, h), high to low.
        features (list[Tensor]): Phi_l of each level, in shape
            (N, d, H_l, W_l).
        targets (list[Tensor]): T_l, in shape (N, K, H_l, W_l).
    """
    levels: List[Size]
    features: List[Tensor]
    targets: List[Tensor]


@dataclass(frozen=True)
class Setting:
    """How the federation trains.

    Args:
        alpha (float): Weight of the distillation.
        decays (bool): Whether the step decays as Li et al.'s; otherwise it
            stays at its first value.
        is_full (bool): Whether a step sees all samples of the client, not a
            mini-batch.
    """
    alpha: float
    decays: bool = True
    is_full: bool = False

    @property
    def name(self) -> str:
        """str: The setting in words."""
        step = 'decaying' if self.decays else 'constant'
        batches = 'full batches' if self.is_full else 'mini-batches'
        return f'{step} step, {batches}'


# What shall be O(1/T), and at the last alpha what shall not
CLAIMS = [Setting(alpha) for alpha in (0., 0.3, 1.)]
CONTROLS = [
    Setting(1., decays=False),
    Setting(1., decays=False, is_full=True),
    Setting(1., is_full=True)
]


def make_clients(seed: int) -> Dict[str, Client]:
    """Draw the clients' images and run the frozen backbone on them.

    The backbone is random Fourier features of the patches (Rahimi and Recht,
    NIPS 2007), sqrt(2) cos(conv(x) + phase), the same for all.
    """
    random = torch.Generator().manual_seed(seed)
    colours = torch.randn(3, NUM_KEYPOINTS, generator=random)
    kernel = torch.randn(NUM_FEATURES, 3, PATCH, PATCH, generator=random)
    phase = 2 * math.pi * torch.rand(NUM_FEATURES, generator=random)

    def extract(images: Tensor) -> Tensor:
        waves = F.conv2d(images, kernel / PATCH, phase, stride=PATCH)
        return math.sqrt(2) * waves.cos()

    clients = {}
    for name, native in LADDER.items():
        places = torch.rand(NUM_SAMPLES, NUM_KEYPOINTS, 2, generator=random)
        images = _draw_images(native, places, colours, random)
        levels = levels_of(list(LADDER.values()), native)
        clients[name] = Client(
            levels, [extract(resample(images, size, True)) for size in levels],
            [_encode(places, size) for size in levels])
    return clients


def _draw_images(size: Size, places: Tensor, colours: Tensor,
                 random: torch.Generator) -> Tensor:
    """Smooth noise with a coloured spot at each keypoint, (N, 3, H, W)."""
    noise = torch.randn(len(places), 3, 8, 6, generator=random)
    spots, _ = encode_batch(UDPHeatmap(size, size, sigma=size[1] / 16),
                            *_scale(places, size))
    return resample(noise, size,
                    True) + 2 * torch.einsum('ck,nkhw->nchw', colours, spots)


def _encode(places: Tensor, size: Size) -> Tensor:
    codec = resize_codec(CODEC, size, 'pixel')
    return encode_batch(codec, *_scale(places, size))[0]


def _scale(places: Tensor, size: Size) -> Tuple[Tensor, Tensor]:
    """Keypoints in pixels and their visibility, of places in [0, 1]."""
    return places * (places.new_tensor(size) - 1), torch.ones(places.shape[:2])


def client_loss(client: Client, head: Tensor, samples: Tensor,
                distill: MultiResolutionDistillLoss) -> Tensor:
    """RAF's loss of a client, summed over independent runs.

    All runs go through the loss modules as one batch: a mean over S B
    samples, times S, is the sum of the S means.

    Args:
        client (Client): The client.
        head (Tensor): W of each run, in shape (S, d, K).
        samples (Tensor): Indices of each run's mini-batch, (S, B).
        distill (MultiResolutionDistillLoss): The distillation.

    Returns:
        Tensor: sum over runs of (1/n) sum_l (task_l + alpha kd_l) + gamma
        ||W||^2, a scalar.
    """
    heatmaps = [
        _predict(features, head, samples) for features in client.features
    ]
    weights = heatmaps[0].new_ones(heatmaps[0].shape[:2])
    terms = [
        TASK_LOSS(maps, targets[samples].flatten(0, 1), weights)
        for maps, targets in zip(heatmaps, client.targets)
    ]
    if distill.alpha:
        for level, term in enumerate(distill(heatmaps, weights), 1):
            terms[level] = terms[level] + distill.alpha * term
    shares = weigh_levels(client.levels, 'uniform')
    mean = sum(share * term for share, term in zip(shares, terms))
    return len(head) * mean + GAMMA * head.square().sum()


def _predict(features: Tensor, head: Tensor, samples: Tensor) -> Tensor:
    """Phi_l W of mini-batches, (S B, K, H, W)."""
    cells = features.flatten(2)[samples]
    heatmaps = head.transpose(1, 2)[:, None] @ cells
    return heatmaps.flatten(0, 1).unflatten(-1, features.shape[2:])


def make_distill(alpha: float) -> MultiResolutionDistillLoss:
    """The distillation as published, which :func:`linear_update` repeats."""
    return MultiResolutionDistillLoss(alpha, teacher='next', resize='nearest')


def expected_update(client: Client, head: Tensor, alpha: float) -> Tensor:
    """Gradient of a client's loss on all its samples, (S, d, K)."""
    head = head.clone().requires_grad_()
    every = torch.arange(NUM_SAMPLES).expand(len(head), -1)
    loss = client_loss(client, head, every, make_distill(alpha))
    return torch.autograd.grad(loss, head)[0]


def linear_update(client: Client,
                  alpha: float) -> Tuple[np.ndarray, np.ndarray]:
    """A (d, d) and b (d, K) of a client's expected update A W - b.

    From the normal equations, in float64 and without the loss modules: with
    U the student's features at the teacher's size, a level adds Phi^T Phi +
    alpha U^T (U - Phi_teacher) to A and Phi^T T to b, each by 2 / (n K) and
    the number of its rows.
    """
    matrix = 2 * GAMMA * np.eye(NUM_FEATURES)
    vector = np.zeros((NUM_FEATURES, NUM_KEYPOINTS))
    scale = 2 / (len(client.levels) * NUM_KEYPOINTS)
    above = None
    for features, targets in zip(client.features, client.targets):
        features = features.numpy().astype(float)
        rows, wanted = _to_rows(features), _to_rows(targets.numpy())
        matrix += scale / len(rows) * rows.T @ rows
        vector += scale / len(rows) * rows.T @ wanted
        if above is not None:
            # Nearest: a cell of the teacher's grid lies in that of the
            # student's which holds its upper left corner.
            y, x = (
                np.arange(wide) * narrow // wide
                for wide, narrow in zip(above.shape[2:], features.shape[2:]))
            student = _to_rows(features[:, :, y][..., x])
            teacher = _to_rows(above)
            matrix += alpha * scale / len(teacher) * student.T @ (student -
                                                                  teacher)
        above = features
    return matrix, vector


def _to_rows(maps: np.ndarray) -> np.ndarray:
    """Maps (N, C, H, W) as rows (N H W, C)."""
    return np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])


class Theory:
    """What follows from the linear updates of all clients.

    Attributes:
        matrices (list[np.ndarray]): A of each client, (d, d).
        optimum (np.ndarray): W* (d, K), where the clients' mean update
            vanishes.
        client_optima (list[np.ndarray]): Where that of one client does.
        convexity (float): mu, the smallest eigenvalue of a client's
            symmetric part: <V, A V> >= mu ||V||^2.
        smoothness (float): L, the largest norm of a client's A.
    """

    def __init__(self, clients: Dict[str, Client], alpha: float):
        self.matrices, vectors = zip(*(linear_update(client, alpha)
                                       for client in clients.values()))
        self.optimum = np.linalg.solve(np.mean(self.matrices, axis=0),
                                       np.mean(vectors, axis=0))
        self.client_optima = list(map(np.linalg.solve, self.matrices, vectors))
        self.convexity = min(
            np.linalg.eigvalsh((matrix + matrix.T) / 2)[0]
            for matrix in self.matrices)
        self.smoothness = max(
            np.linalg.norm(matrix, 2) for matrix in self.matrices)

    def step_size(self, steps: int) -> float:
        """Step after a number of steps, beta / (t + t0) of theorem 1."""
        beta = 2 / self.convexity
        offset = max(8 * self.smoothness / self.convexity, NUM_LOCAL_STEPS)
        return beta / (steps + offset)

    def gap(self, head: Tensor) -> np.ndarray:
        """||W - W*||^2 / ||W*||^2 of each run, (S,), of W (S, d, K)."""
        error = head.numpy().astype(float) - self.optimum
        return (error**2).sum((1, 2)) / (self.optimum**2).sum()

    def objective_gap(self, head: Tensor) -> np.ndarray:
        """F(W) - F(W*) of each run, (S,); F exists if alpha is 0."""
        error = head.numpy().astype(float) - self.optimum
        mean = np.mean(self.matrices, axis=0)
        return np.einsum('sdk,de,sek->s', error, mean, error) / 2

    @property
    def disagreement(self) -> float:
        """float: Mean of ||W_c* - W*||^2 / ||W*||^2 over the clients."""
        own = np.stack(self.client_optima)
        return self.gap(torch.tensor(own)).mean()


def train(clients: Dict[str, Client], theory: Theory, setting: Setting,
          num_steps: int, num_seeds: int) -> Dict[int, Tensor]:
    """Train W from 0 by FedAvg, several runs of other mini-batches at once.

    Args:
        clients (dict[str, Client]): The clients.
        theory (Theory): What sets the steps.
        setting (Setting): How to train.
        num_steps (int): Local steps T of each client, over all rounds.
        num_seeds (int): Runs S.

    Returns:
        dict[int, Tensor]: Global W (S, d, K) after so many local steps, at
        ends of rounds, evenly on a logarithmic scale.
    """
    random = torch.Generator().manual_seed(0)
    distill = make_distill(setting.alpha)
    batch_size = NUM_SAMPLES if setting.is_full else BATCH_SIZE
    aggregator = FedAvg('uniform')
    num_rounds = num_steps // NUM_LOCAL_STEPS
    points = set(np.geomspace(1, num_rounds, NUM_POINTS).round().astype(int))
    state = dict(head=torch.zeros(num_seeds, NUM_FEATURES, NUM_KEYPOINTS))
    kept = {}
    for number in range(num_rounds):
        start = number * NUM_LOCAL_STEPS
        updates = []
        for name, client in clients.items():
            head = state['head'].clone().requires_grad_()
            for step in range(start, start + NUM_LOCAL_STEPS):
                order = torch.rand(num_seeds, NUM_SAMPLES, generator=random)
                samples = order.argsort(1)[:, :batch_size]
                loss = client_loss(client, head, samples, distill)
                gradient, = torch.autograd.grad(loss, head)
                size = theory.step_size(step if setting.decays else 0)
                head = (head - size * gradient).detach().requires_grad_()
            updates.append(
                ClientUpdate(name, dict(head=head.detach()), NUM_SAMPLES))
        state = aggregator.aggregate(state, updates)
        if number + 1 in points:
            kept[start + NUM_LOCAL_STEPS] = state['head']
    return kept


class Curve:
    """A gap over the steps, and how fast it falls.

    Args:
        steps (list[int]): Local steps T, in shape (n,).
        gaps (np.ndarray): Gap of each run after these, in shape (S, n).

    Attributes:
        mean (np.ndarray): Mean over the runs, (n,).
        slope (float): d log gap / d log T of the mean, by least squares over
            the last decade of T.
        height (float): log10 of the fitted gap at T = 1.
        error (float): Standard error of the slope, from those of the single
            runs; NaN of one run.
    """

    def __init__(self, steps: Sequence[int], gaps: np.ndarray):
        self.steps = np.array(steps)
        self.mean = gaps.mean(0)
        self.is_last = steps >= self.steps[-1] / 10**FIT_DECADES
        self.slope, self.height = self._fit(self.mean)
        slopes = [self._fit(run)[0] for run in gaps]
        self.error = math.nan
        if len(slopes) > 1:
            self.error = np.std(slopes, ddof=1) / math.sqrt(len(slopes))

    def _fit(self, gap: np.ndarray) -> np.ndarray:
        return np.polyfit(np.log10(self.steps[self.is_last]),
                          np.log10(gap[self.is_last]), 1)

    @property
    def slope_text(self) -> str:
        """str: The slope, with its error if it has one."""
        # No minus before a slope that is zero when rounded
        text = f'{round(self.slope, 2) + 0.:.2f}'
        return text if math.isnan(
            self.error) else (f'{text} ± {self.error:.2f}')


def measure(clients: Dict[str, Client], setting: Setting, num_steps: int,
            num_seeds: int) -> Tuple[Curve, Curve]:
    """Train in a setting and follow the gaps.

    Returns:
        tuple[Curve, Curve]: ||W - W*||^2 / ||W*||^2, and F(W) - F(W*), which
        means something only if alpha is 0.
    """
    theory = Theory(clients, setting.alpha)
    # Full batches leave nothing to chance.
    kept = train(clients, theory, setting, num_steps,
                 1 if setting.is_full else num_seeds)
    return tuple(
        Curve(list(kept), np.stack([gap(head) for head in kept.values()], 1))
        for gap in (theory.gap, theory.objective_gap))


def plot(curves: Dict[Setting, Curve], path: Path):
    """Draw the claims beside the controls, with the fitted lines."""
    figure = Figure(figsize=(1.35 * WIDTH, 4), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    left.set_title('Decaying step, mini-batches', fontsize=10)
    for index, setting in enumerate(CLAIMS):
        _draw(left, curves[setting], rf'$\alpha$ = {setting.alpha:g}', index,
              index)
    right.set_title(rf'Controls, $\alpha$ = {CLAIMS[-1].alpha:g}', fontsize=10)
    for index, setting in enumerate([CLAIMS[-1], *CONTROLS], len(CLAIMS) - 1):
        _draw(right, curves[setting], setting.name, index, 0)
    for axes in (left, right):
        axes.set(xscale='log', yscale='log')
        axes.set_xlabel('local steps T of each client')
        axes.grid(color='0.92')
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        axes.legend(loc='lower left', fontsize=8, frameon=False)
    left.set_ylabel(r'$\|W_T - W^*\|^2 \, / \, \|W^*\|^2$')
    figure.savefig(path, dpi=DPI)


def _draw(axes: Axes, curve: Curve, label: str, index: int, first: int):
    """Draw a curve as markers, from the first on, and its fit as a line."""
    style = dict(line_style(index), linestyle='none', markersize=4.5)
    # The curves lie upon each other: a marker of each in turn
    axes.plot(curve.steps,
              curve.mean,
              markevery=(first, 3),
              alpha=0.7,
              markeredgewidth=0,
              **style)
    axes.plot(curve.steps,
              curve.mean,
              color=style['color'],
              alpha=0.35,
              linewidth=1)
    steps = curve.steps[curve.is_last]
    text = curve.slope_text.replace('-', '\N{MINUS SIGN}')
    axes.plot(steps,
              10**curve.height * steps**curve.slope,
              color=style['color'],
              linewidth=2,
              label=f'{label}: slope {text}')


def tabulate(curves: Dict[str, Curve]) -> str:
    """Lay out gaps after some steps and slopes, a row for each curve."""
    rows = []
    for name, curve in curves.items():
        gaps = dict(zip(curve.steps, curve.mean))
        rows.append([name] + [f'{gaps[step]:.1e}'
                              for step in SHOWN_STEPS] + [curve.slope_text])
    return render_table(['gap'] + [f'T = {step}'
                                   for step in SHOWN_STEPS] + ['slope'], rows)


def main():
    """Measure all settings; print the table, write picture and numbers."""
    parser = argparse.ArgumentParser(
        description='Measure how fast a federation with RAF\'s losses '
        'converges on the linearised problem.')
    parser.add_argument('--out',
                        type=Path,
                        required=True,
                        help='folder for convergence.png and convergence.json')
    folder = parser.parse_args().out
    # More threads are slower on tensors so small.
    torch.set_num_threads(1)
    clients = make_clients(0)
    curves, named = {}, {}
    for setting in CLAIMS + CONTROLS:
        curves[setting], objective = measure(clients, setting, NUM_STEPS,
                                             NUM_SEEDS)
        name = f'alpha = {setting.alpha:g}, {setting.name}'
        named[name] = curves[setting]
        if not setting.alpha:
            named[f'{name}, F(W) - F(W*)'] = objective
    print(tabulate(named))
    theory = Theory(clients, CLAIMS[-1].alpha)
    print(f'alpha = {CLAIMS[-1].alpha:g}: mu {theory.convexity:.3f}, '
          f'L {theory.smoothness:.3f}; the optima of single clients are '
          f'{theory.disagreement:.1e} away from W* (mean, same measure)')
    folder.mkdir(parents=True, exist_ok=True)
    plot(curves, folder / 'convergence.png')
    numbers = {
        name:
        dict(
            slope=curve.slope,
            # No NaN in JSON
            slope_error=None if math.isnan(curve.error) else curve.error,
            steps=curve.steps.tolist(),
            gap=curve.mean.tolist())
        for name, curve in named.items()
    }
    path = folder / 'convergence.json'
    path.write_text(json.dumps(numbers, indent=2) + '\n')


if __name__ == '__main__':
    main()
