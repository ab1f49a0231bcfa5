"""Train with RAF on rendered people and show what it gives at each size.

Takes about 5 to 10 minutes on two CPU cores and needs neither data nor a
network. A second call continues an interrupted training, or reports anew on
a finished one.
"""

import argparse
import json
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DATASETS
from mmengine.runner import Runner, find_latest_checkpoint

import mmpose_raf  # noqa: F401  closes gaps before mmpose is imported
from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation import ResolutionSweep
from mmpose_raf.tables import render_table
from mmpose_raf.visualization import draw_pose_gallery, plot_resolution_curve

CONFIG = Path(__file__).resolve().parents[1] / 'configs/raf_demo.py'
# The ladder's sizes and others, (w, h)
INPUT_SIZES = [(24, 32), (48, 64), (72, 96), (96, 128), (120, 160), (144, 192),
               (192, 256)]
NUM_PEOPLE = 5


def train(work_dir: str) -> Runner:
    """Train, or load what was trained, and return the runner."""
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir = work_dir
    cfg.resume = find_latest_checkpoint(work_dir) is not None
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def report(runner: Runner, out_dir: Path):
    """Evaluate at all sizes; print the table and write the pictures."""
    cfg = runner.cfg
    trained = [tuple(size) for size in cfg.model.ladder]
    sweep = ResolutionSweep(
        DATASETS.build(cfg.val_dataloader.dataset), cfg.val_evaluator,
        cfg.val_dataloader.batch_size)
    results = sweep.evaluate(runner.model, INPUT_SIZES)
    accuracy = {size: metrics['PCK'] for size, metrics in results.items()}

    out_dir.mkdir(parents=True, exist_ok=True)
    metric = f'PCK@{cfg.val_evaluator.thr} of the box'
    plot_resolution_curve({'RAF, 3 clients': accuracy}, trained, metric,
                          out_dir / 'accuracy_by_resolution.png')
    people = range(NUM_PEOPLE)
    draw_pose_gallery(
        {
            size: sweep.predict(runner.model, size, people)
            for size in INPUT_SIZES
        }, sweep.dataset.metainfo, trained, out_dir / 'predictions.png')
    (out_dir / 'results.json').write_text(
        json.dumps(
            {f'{height}x{width}': value
             for (width, height), value in accuracy.items()},
            indent=2))

    print(render_table(['input size (HxW)', 'in training', f'{metric}, %'], [[
        f'{size[1]}x{size[0]}', 'trained' if size in trained else 'unseen',
        f'{100 * accuracy[size]:.1f}'
    ] for size in INPUT_SIZES]))
    print(f'Pictures: {out_dir}/accuracy_by_resolution.png, '
          f'{out_dir}/predictions.png')


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--work-dir',
        default='work_dirs/raf_demo',
        help='where checkpoints, logs and pictures go')
    work_dir = parser.parse_args().work_dir
    try:
        report(train(work_dir), Path(work_dir) / 'demo')
    except ConfigError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
