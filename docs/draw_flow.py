"""Draws docs/images/flow.png: how a federated run flows.

    python docs/draw_flow.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch

TARGET = Path(__file__).parent / 'images/flow.png'
WIDTH, HEIGHT = 124, 88

# Title and its height, lower edge, upper edge, colour.
BANDS = [
    ('once, before training', 84.6, 70, 87, '#eef3f8'),
    ('each round: FederatedTrainLoop.run_round()', 65.6, 22, 68, '#f6f2ea'),
    ("after each round: MMEngine's after_train_epoch, then validation", 3.4, 1,
     20, '#eef5ee'),
]
# Name in the code: centre, width, height, what it holds or does.
BOXES = {
    'config': (14, 77, 22, 9, 'federation = dict(...)'),
    'FederationSettings': (45, 77, 26, 9, 'checked and frozen'),
    'BasePartitioner': (76, 77, 22, 9, 'who holds which samples'),
    'Schedule': (108, 77, 24, 9, 'the visits of each round'),
    'Server': (20, 50, 24, 12, 'global weights\nand their version'),
    'LocalTrainer':
    (74, 50, 26, 12, 'one model, one optimizer;\nladder, losses, '
     'LocalObjective'),
    'ClientBatchSampler':
    (108, 60, 26, 9, 'batches of one client\nat its native size'),
    'ClientState':
    (108, 40, 26, 12, 'moments, schedules,\npersonal layers, memory'),
    'Aggregator': (20, 29, 24, 9, 'FedAvg, FedAdam, ...'),
    'RoundReport': (20, 11.5, 30, 9, 'norms, cosines, traffic,\nrefusals'),
    'CheckpointHook': (62, 11.5, 30, 9, 'global weights + federation'),
    'MultiResolutionValLoop': (104, 11.5, 30, 9, 'accuracy by size, drift'),
}
# Way (from tail to head), text, where the text is centred.
ARROWS = [
    ([(25, 77), (32, 77)], '', None),
    ([(58, 77), (65, 77)], '', None),
    ([(87, 77), (96, 77)], '', None),
    ([(108, 72.5), (108, 64.5)], 'Visit', (112.5, 68.5)),
    ([(32, 53),
      (61, 53)], 'TrainRequest\nweights, version, download', (46.5, 57)),
    ([(61, 47), (32, 47)], 'ClientUpdate\nweights, samples, metrics, upload',
     (46.5, 43)),
    ([(95, 60), (80, 60), (80, 56)], '', None),
    ([(95, 42), (82, 42), (82, 44)], '', None),
    ([(78, 44), (78, 38), (95, 38)], '', None),
    ([(17, 44), (17, 33.5)], 'close_round()', (9.5, 39)),
    ([(23, 33.5), (23, 44)], 'next global\nweights', (30, 39)),
    ([(20, 24.5), (20, 16)], '', None),
    ([(32, 29), (104, 29), (104, 16)], 'next global weights', (66, 31)),
    ([(62, 29), (62, 16)], '', None),
]


def draw():
    """Draw the picture."""
    figure, axes = plt.subplots(figsize=(12.4, 8.8), dpi=100)
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT), position=(0, 0, 1, 1))
    axes.axis('off')
    for title, y, low, high, colour in BANDS:
        axes.add_patch(_box(1, low, WIDTH - 2, high - low, colour, colour))
        axes.text(3, y, title, color='#555', fontsize=11, va='center')
    for way, text, where in ARROWS:
        _draw_arrow(axes, way)
        if text:
            axes.text(*where, text, fontsize=10, ha='center', va='center')
    for name, (x, y, width, height, text) in BOXES.items():
        axes.add_patch(
            _box(x - width / 2, y - height / 2, width, height, 'white',
                 '#335'))
        axes.text(x,
                  y + height / 2 - 2.6,
                  name,
                  fontsize=12,
                  ha='center',
                  va='center',
                  weight='bold')
        axes.text(x, y - 1.7, text, fontsize=10, ha='center', va='center')
    figure.savefig(TARGET)


def _box(x, y, width, height, face, edge):
    return FancyBboxPatch((x, y),
                          width,
                          height,
                          boxstyle='round,pad=0,rounding_size=1',
                          facecolor=face,
                          edgecolor=edge)


def _draw_arrow(axes, way):
    *corners, before, end = way
    for first, second in zip(corners, [*corners[1:], before]):
        axes.plot(*zip(first, second), color='#335', lw=1.3)
    axes.annotate('',
                  end,
                  before,
                  arrowprops=dict(arrowstyle='-|>',
                                  color='#335',
                                  lw=1.3,
                                  shrinkA=0,
                                  shrinkB=0))


if __name__ == '__main__':
    draw()
