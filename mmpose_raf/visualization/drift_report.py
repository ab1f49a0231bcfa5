"""Results of drift evaluations side by side, as a folder to read."""

import re
from pathlib import Path
from typing import Dict, List, Sequence

from mmpose_raf.errors import ConfigError, make_folder
from mmpose_raf.evaluation.drift_export import write_csv, write_json
from mmpose_raf.evaluation.drift_gallery import DriftGallery
from mmpose_raf.evaluation.drift_group import (check_comparable, group_by_name,
                                               list_ceilings, size_order)
from mmpose_raf.evaluation.drift_result import GALLERY_NAME, DriftResult
from mmpose_raf.evaluation.drift_tables import (TRAINED_MARK, client_table,
                                                plain_markdown, size_table,
                                                view_table)
from mmpose_raf.evaluation.metric_scale import MetricScale, scale_of
from mmpose_raf.evaluation.training_log import read_training_log
from mmpose_raf.sizes import size_name
from .capture_curves import plot_capture_curves
from .keypoint_map import plot_keypoint_accuracy
from .pose_gallery import draw_pose_gallery
from .resolution_curve import plot_resolution_curve
from .training_curves import plot_training_curves
from .upsampling import plot_upsampling

REPORT_NAME = 'report.md'
# File systems allow names of 255 bytes.
LONGEST_STEM = 60


def write_report(results: Sequence[DriftResult], folders: Dict[str, Path],
                 out_dir: Path):
    """Write ``report.md``, ``results.csv``, ``results.json`` and pictures.

    Args:
        results (list[DriftResult]): Results of the same evaluation of some
            runs, at least one.
        folders (dict): For names of results the folder of its
            ``drift.json``; its gallery and its training log are looked for
            there.
        out_dir (Path): Where to write. It may hold an earlier report, which
            is replaced.

    Raises:
        ConfigError: If the results do not belong into one table, or if
            ``out_dir`` holds other things than an earlier report.
    """
    check_comparable(results)
    groups = group_by_name(results)
    _claim(out_dir)
    write_csv(results, out_dir / 'results.csv')
    write_json(results, out_dir / 'results.json')
    plot_resolution_curve(results, out_dir / 'resolution_curve.png')

    scale = scale_of(results)
    parts = [
        *_head(results), '## By input size',
        size_table(groups, scale),
        _explain_table(scale, bool(list_ceilings(groups))),
        _embed(
            'resolution_curve.png',
            'Filled markers are sizes of the run\'s own training, grey '
            'bands those of any run; bars are one standard deviation over '
            'the seeds. A flat line is a model without drift. Where some '
            'sizes stretch the axis, a close-up of the trained sizes is '
            'below; lines may leave it.')
    ]
    stems = _file_stems([result.name for result in results])
    for result, stem in zip(results, stems):
        parts += _run_parts(result, scale, out_dir, stem)
        if result.name in folders:
            parts += _folder_parts(result, Path(folders[result.name]), out_dir,
                                   stem)
    (out_dir / REPORT_NAME).write_text('\n\n'.join(parts) + '\n',
                                       encoding='utf-8')


def check_folder(out_dir: Path):
    """Refuse a folder for a report that holds something else.

    Raises:
        ConfigError: If it is no folder, or holds other files than a report.
    """
    if out_dir.exists() and not out_dir.is_dir():
        raise ConfigError(str(out_dir), 'it is no folder',
                          'give a folder for the report')
    is_report = (out_dir / REPORT_NAME).is_file()
    if out_dir.exists() and any(out_dir.iterdir()) and not is_report:
        raise ConfigError(str(out_dir), 'it holds other files than a report',
                          'give a new folder')


def _claim(out_dir: Path):
    check_folder(out_dir)
    make_folder(out_dir, str(out_dir))
    # First, so that a report that fails halfway can be written again.
    (out_dir / REPORT_NAME).write_text('The report is not finished.\n')


def _head(results: Sequence[DriftResult]) -> List[str]:
    first = results[0]
    hardware = dict.fromkeys(result.hardware or 'unknown'
                             for result in results)
    names = ', '.join(map(plain_markdown, hardware))
    return [
        f'# Resolution drift on {plain_markdown(first.dataset)}',
        f'Persons: {first.num_samples}. '
        f'Metric: {plain_markdown(first.key_metric)}. '
        f'Times were measured on: {names}.'
    ]


def _explain_table(scale: MetricScale, has_ceiling: bool) -> str:
    text = (
        f'{plain_markdown(scale.label)}, by input size (height x width '
        f'in pixels) of crops of the source images. {TRAINED_MARK}: the '
        'run was trained at this size. Bold: the best of the column. '
        '±: sample standard deviation over the seeds. trained/mean and '
        'unseen/mean: means over the sizes that the run was and was not '
        'trained at. drift: the distance between the best and the worst of '
        'all sizes in the row, trained or not')
    text += ', in percentage points' if scale.is_percent else ''
    text += '; worst at: the size at which the run loses most.'
    if has_ceiling:
        text += (' ceiling: what the true heatmaps give when they are '
                 'decoded, the most that a perfect model could reach.')
    return text


def _run_parts(result: DriftResult, scale: MetricScale, out_dir: Path,
               stem: str) -> List[str]:
    trained = sorted(result.trained_sizes, key=size_order)
    parts = [
        f'## {plain_markdown(result.name)}',
        f'Trained at {", ".join(map(size_name, trained))}.',
        view_table(result, scale),
        'Cost of one forward pass of one person in GFLOPs (a multiplication '
        'and an addition are two operations; twice what MMPose\'s '
        'get_flops.py counts), and time of the model for one person in ms. '
        'against plain: distance to the plain view of the same input size.'
    ]
    if result.clients:
        parts += [
            client_table(result, scale),
            'Each client\'s own view, on the held-out part of its data.'
        ]
    views = [found.view for found in result.views]
    if any(view.capture_size and not view.upsample_to for view in views):
        plot_capture_curves(result, out_dir / f'{stem}-capture.png')
        parts.append(
            _embed(
                f'{stem}-capture.png',
                'To the left the camera has seen less: a line that falls '
                'slowly needs few pixels of the source.'))
    if any(view.upsample_to and not view.capture_size for view in views):
        plot_upsampling(result, out_dir / f'{stem}-upsampling.png')
        parts.append(
            _embed(
                f'{stem}-upsampling.png',
                'Each pair is one crop size: where the filled marker is '
                'better, enlarging the crop first pays.'))
    plot_keypoint_accuracy(result, out_dir / f'{stem}-keypoints.png')
    parts.append(
        _embed(
            f'{stem}-keypoints.png',
            'Lighter is better; a row that darkens towards the small sizes '
            'is a keypoint that is lost there.'))
    return parts


def _folder_parts(result: DriftResult, folder: Path, out_dir: Path,
                  stem: str) -> List[str]:
    parts = []
    if (folder / GALLERY_NAME).is_file():
        trained = [
            found.view.name for found in result.views
            if found.view.model_size in result.trained_sizes
        ]
        draw_pose_gallery(DriftGallery.load(folder / GALLERY_NAME), trained,
                          out_dir / f'{stem}-gallery.png')
        parts.append(
            _embed(
                f'{stem}-gallery.png',
                'The same persons in each row; the prediction is blue, the '
                'annotation white.'))
    curves = read_training_log(folder)
    if curves:
        plot_training_curves(curves, out_dir / f'{stem}-training.png')
        parts.append(
            _embed(
                f'{stem}-training.png',
                'Over the rounds of the training. A cosine near 1 means that '
                'the clients agree, one near 0 that each goes its own way.'))
    return parts


def _embed(file_name: str, caption: str) -> str:
    return f'![{caption}]({file_name})\n\n*{caption}*'


def _file_stems(names: Sequence[str]) -> List[str]:
    stems: List[str] = []
    for name in names:
        # In lower case, as not every file system tells the cases apart.
        base = re.sub(r'[^a-z0-9.]+', '-', name.lower())[:LONGEST_STEM]
        base = base.strip('-.') or 'run'
        stem, number = base, 1
        while stem in stems:
            number += 1
            stem = f'{base}-{number}'
        stems.append(stem)
    return stems
