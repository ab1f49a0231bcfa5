"""A trained model as an ONNX file."""

import importlib.util
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import torch

from mmpose_raf.errors import ConfigError, describe_error
from mmpose_raf.sizes import Size
from .deployed_model import DeployedModel
from .input_sizes import check_sizes, sizes_to_check
from .metadata import describe_model
from .onnx_check import Comparison, check_onnx
from .program import export_program
from .trained_model import load_trained_model

# onnxscript is what torch's exporter is built on.
PACKAGES = ('onnx', 'onnxscript', 'onnxruntime')


def export_onnx(config: Path,
                checkpoint: Path,
                out: Path,
                preprocess: bool = True,
                decode: bool = True,
                input_sizes: Optional[Sequence[Size]] = None
                ) -> List[Comparison]:
    """Write a trained model as an ONNX file and check it.

    Batch, height and width are free, see :func:`export_program`. The file
    describes itself, see :func:`describe_model`. It is run in onnxruntime and
    is there only if its outputs are the model's.

    Args:
        config (Path): The model's config.
        checkpoint (Path): The model's checkpoint.
        out (Path): Where to write; nothing must be there.
        preprocess (bool): Whether the file takes images as OpenCV reads them,
            or normalised ones. Defaults to True.
        decode (bool): Whether the file has keypoints and scores beside
            heatmaps. Defaults to True.
        input_sizes (list[tuple[int, int]], optional): Sizes (w, h) at which
            it is checked. Defaults to those of training and one beside.

    Returns:
        list[Comparison]: Differences and speed at each size.

    Raises:
        ConfigError: If a package is missing, an argument does not fit, the
            model cannot be exported or the file gives other results.
    """
    _check_packages()
    if out.exists():
        raise ConfigError('--out', f'{out} is there already',
                          'choose another path')
    if not out.parent.is_dir():
        raise ConfigError('--out', f'no such folder: {out.parent}',
                          'make it, or choose another path')
    estimator = load_trained_model(config, checkpoint)
    sizes = list(input_sizes or sizes_to_check(estimator))
    check_sizes(estimator, sizes, '--input-sizes')
    model = DeployedModel(estimator, preprocess, decode)
    unchecked = out.with_name(f'{out.name}.unchecked')
    try:
        write_onnx(model, unchecked)
        comparisons = check_onnx(model, unchecked, sizes)
        unchecked.rename(out)
    except OSError as error:
        raise ConfigError('--out', describe_error(error),
                          'choose another path') from None
    finally:
        unchecked.unlink(missing_ok=True)
    return comparisons


def _check_packages():
    missing = [
        name for name in PACKAGES if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ConfigError('export', f'{", ".join(missing)} is not installed',
                          f'pip install {" ".join(missing)}')


def write_onnx(model: DeployedModel, path: Path):
    """Write a model as an ONNX file, unchecked."""
    from onnxscript import opset18
    program = torch.onnx.export(
        export_program(model),
        dynamo=True,
        input_names=['images'],
        output_names=model.output_names,
        # Of LadderFit, which torch does not translate.
        custom_translation_table={
            torch.sym_max: lambda a, b: opset18.Max(a, b),
            torch.sym_min: lambda a, b: opset18.Min(a, b)
        },
        verbose=False)
    graph = program.model.graph
    free = {0: 'batch', model.height_axis: 'height'}
    free[model.height_axis + 1] = 'width'
    _name_axes(graph.inputs[0], free)
    for output in graph.outputs:
        _name_axes(output, {0: 'batch'})
    program.model.metadata_props.update(describe_model(model))
    program.save(str(path))


def _name_axes(value: Tuple, names: dict):
    """Name free axes of an input or output in the place of torch's s34."""
    for axis, name in names.items():
        value.shape[axis] = name
