"""Trained models as files for other runtimes."""

from .deployed_model import DeployedModel
from .onnx_file import export_onnx
from .program import export_program
from .trained_model import load_trained_model

__all__ = [
    'DeployedModel', 'export_onnx', 'export_program', 'load_trained_model'
]
