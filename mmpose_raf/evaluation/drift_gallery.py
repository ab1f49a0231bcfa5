"""A few persons at every resolution, with predictions, as a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import List

import numpy as np


@dataclass
class GalleryView:
    """Some persons in one view. Keypoints are in parts of the crop, [0, 1].

    Args:
        name (str): Name of the view.
        crops (np.ndarray): Crops as the model gets them, uint8, RGB, in
            shape (N, h, w, 3).
        predicted (np.ndarray): Predicted keypoints (x, y) in shape
            (N, K, 2).
        scores (np.ndarray): Their scores in shape (N, K).
        truth (np.ndarray): Annotated keypoints in shape (N, K, 2).
        visible (np.ndarray): Which are annotated, bool in shape (N, K).
    """

    name: str
    crops: np.ndarray
    predicted: np.ndarray
    scores: np.ndarray
    truth: np.ndarray
    visible: np.ndarray


ARRAYS = ('crops', 'predicted', 'scores', 'truth', 'visible')


@dataclass
class DriftGallery:
    """The same persons in all views.

    Args:
        views (list[GalleryView]): The views, each with the same persons.
        skeleton (np.ndarray): Pairs of keypoints to connect, in shape
            (L, 2); L may be 0.
    """

    views: List[GalleryView]
    skeleton: np.ndarray

    def save(self, path: Path):
        """Write the gallery as a compressed ``.npz``."""
        arrays = {
            f'{index}.{key}': getattr(view, key)
            for index, view in enumerate(self.views) for key in ARRAYS
        }
        np.savez_compressed(
            path,
            names=np.array([view.name for view in self.views]),
            skeleton=self.skeleton,
            **arrays)

    @classmethod
    def load(cls, path: Path) -> 'DriftGallery':
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            views = [
                GalleryView(
                    str(name),
                    **{key: arrays[f'{index}.{key}'] for key in ARRAYS})
                for index, name in enumerate(arrays['names'])
            ]
            return cls(views, arrays['skeleton'])
