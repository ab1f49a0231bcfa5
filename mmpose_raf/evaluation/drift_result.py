"""What an evaluation at many resolutions found, as a file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Dict, List, Optional

from mmpose_raf.atomic_file import write_atomically
from mmpose_raf.errors import ConfigError, describe_error
from mmpose_raf.sizes import Size
from .drift_summary import summarise_drift
from .view import View

FILE_NAME = 'drift.json'
GALLERY_NAME = 'drift_gallery.npz'
FORMAT = 1


@dataclass
class ViewResult:
    """What one view gave.

    Args:
        view (View): How the persons were shown.
        metrics (dict): Metrics of the model's predictions.
        ceiling (dict): The same metrics of the true heatmaps, decoded: what
            a perfect model would reach; empty if the model has no codec.
        keypoint_accuracy (list[float | None]): Share of each keypoint's
            predictions within the threshold, in [0, 1]; None where no
            person has it labelled.
        gflops (float): Floating point operations of one forward pass of one
            person, in 10^9 (a multiplication and an addition are two).
        milliseconds (float): Time of the model for one person, flip test
            included, in the batches of the evaluation.
    """

    view: View
    metrics: Dict[str, float]
    ceiling: Dict[str, float]
    keypoint_accuracy: List[Optional[float]]
    gflops: float
    milliseconds: float


@dataclass
class ClientResult:
    """What the model gave on the held-out part of one client.

    Args:
        name (str): Name of the client.
        view (View): The client's own resolution.
        num_samples (int): Persons in its held-out part.
        metrics (dict): Metrics of the model's predictions.
    """

    name: str
    view: View
    num_samples: int
    metrics: Dict[str, float]


@dataclass
class DriftResult:
    """One model at many resolutions.

    Args:
        name (str): Name of the run.
        dataset (str): Name of the dataset.
        num_samples (int): Persons evaluated.
        fingerprint (str): Digest of the persons, so that results of other
            persons are not compared.
        key_metric (str): The metric that is summarised.
        rule (str): ``'greater'`` or ``'less'`` of it is better.
        trained_sizes (list[tuple[int, int]]): Sizes (w, h) of the training.
        input_sizes (list[tuple[int, int]]): Sizes that are summarised; the
            plain views may have more, the clients' own.
        keypoint_names (list[str]): Names of the K keypoints.
        keypoint_threshold (float): Distance, as a share of the longer side
            of the person's box, below which a keypoint counts as right in
            ``keypoint_accuracy``.
        views (list[ViewResult]): What each view gave.
        clients (list[ClientResult]): What each client's own view gave.
        hardware (str): On what ``milliseconds`` were measured.
    """

    name: str
    dataset: str
    num_samples: int
    fingerprint: str
    key_metric: str
    rule: str
    trained_sizes: List[Size]
    input_sizes: List[Size]
    keypoint_names: List[str]
    keypoint_threshold: float
    views: List[ViewResult]
    clients: List[ClientResult] = field(default_factory=list)
    hardware: str = ''

    @property
    def plain_views(self) -> List[ViewResult]:
        """list[ViewResult]: Views of the source as it is, in their order."""
        return [result for result in self.views if result.view.is_plain]

    @property
    def accuracy(self) -> Dict[Size, float]:
        """dict: The key metric by the input size (w, h) of the plain views
        that are summarised."""
        return {
            result.view.input_size: result.metrics[self.key_metric]
            for result in self.plain_views
            if result.view.input_size in self.input_sizes
        }

    @property
    def summary(self) -> Dict[str, float]:
        """dict: See :func:`summarise_drift`."""
        return summarise_drift(self.accuracy, self.trained_sizes, self.rule)

    def save(self, path: Path):
        """Write the result as JSON."""
        tree = dict(asdict(self), format=FORMAT, summary=self.summary)
        # Whole or not at all: what is there counts as done.
        write_atomically(path, (json.dumps(tree, indent=2) + '\n').encode())

    @classmethod
    def load(cls, path: Path) -> 'DriftResult':
        """Read what :meth:`save` wrote.

        Raises:
            ConfigError: If the file is missing or holds something else.
        """
        try:
            tree = json.loads(Path(path).read_text())
        except OSError as error:
            raise ConfigError(str(path), error.strerror,
                              'give a work dir or a result file') from error
        except ValueError as error:
            raise ConfigError(str(path), 'it is no JSON',
                              f'give a {FILE_NAME}') from error
        if not isinstance(tree, dict) or tree.pop('format', None) != FORMAT:
            raise ConfigError(str(path), 'it is no drift result',
                              f'give a {FILE_NAME}')
        try:
            return _result_of(tree)
        except (AttributeError, KeyError, TypeError) as error:
            raise ConfigError(str(path), describe_error(error),
                              'test the run again') from error


def _result_of(tree: dict) -> DriftResult:
    tree.pop('summary')  # derived
    for key in ('trained_sizes', 'input_sizes'):
        tree[key] = [tuple(size) for size in tree[key]]
    for key, kind in (('views', ViewResult), ('clients', ClientResult)):
        tree[key] = [
            kind(**dict(entry, view=_view_of(entry['view'])))
            for entry in tree[key]
        ]
    return DriftResult(**tree)


def _view_of(tree: dict) -> View:
    return View(**{
        key: None if size is None else tuple(size)
        for key, size in tree.items()
    })
