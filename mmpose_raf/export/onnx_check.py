"""Whether an ONNX file computes what the model computes, and how fast."""

import time
from pathlib import Path
from statistics import median
from typing import Callable, List, NamedTuple, Optional, Sequence

import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.sizes import Size, size_name
from .deployed_model import DeployedModel
from .program import make_noise

# Largest difference allowed between heatmaps, whose maxima are near 1.
TOLERANCE = 1e-4
# A keypoint is compared where the model sees one: the maximum of a flat
# heatmap may lie anywhere.
MIN_SCORE = 0.3
BATCH = 2
REPETITIONS = 5


class Comparison(NamedTuple):
    """One input size in onnxruntime and in torch.

    ``heatmap_difference`` is the largest of all pixels,
    ``keypoint_difference`` the largest in pixels of the input among keypoints
    with a score of 0.3 at least, None where there are none. Times are in
    milliseconds for one image, on the CPU.
    """
    size: Size
    heatmap_difference: float
    keypoint_difference: Optional[float]
    onnxruntime_ms: float
    torch_ms: float


def check_onnx(model: DeployedModel, path: Path,
               sizes: Sequence[Size]) -> List[Comparison]:
    """Compare a file with its model on noise.

    Args:
        model (DeployedModel): The model.
        path (Path): The file.
        sizes (list[tuple[int, int]]): Sizes (w, h) of the inputs.

    Raises:
        ConfigError: If heatmaps differ by more than 1e-4.
    """
    import onnxruntime
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    comparisons = [_compare(model, session, size) for size in sizes]
    for found in comparisons:
        if not found.heatmap_difference <= TOLERANCE:
            raise ConfigError(
                'export', f'at {size_name(found.size)} the file gives '
                f'heatmaps that differ by {found.heatmap_difference:.1e} from '
                "the model's", 'try other versions of torch and onnxruntime')
    return comparisons


@torch.inference_mode()
def _compare(model: DeployedModel, session, size: Size) -> Comparison:
    images = make_noise(model, size, BATCH)
    expected = dict(zip(model.output_names, model(images)))
    names = list(expected)
    found = dict(
        zip(names,
            map(torch.from_numpy,
                session.run(names, dict(images=images.numpy())))))
    keypoint_difference = None
    if model.decoder is not None:
        seen = expected['scores'] >= MIN_SCORE
        if seen.any():
            moved = (found['keypoints'] - expected['keypoints']).abs()
            keypoint_difference = moved[seen].max().item()
    one = images[:1]
    feed = dict(images=one.numpy())
    return Comparison(
        size, (found['heatmaps'] - expected['heatmaps']).abs().max().item(),
        keypoint_difference,
        _milliseconds(lambda: session.run(names[:-1] or names, feed)),
        _milliseconds(lambda: model(one)))


def _milliseconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1e3 * median(times)
