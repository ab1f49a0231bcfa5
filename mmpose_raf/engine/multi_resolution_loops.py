"""Validation and test loops over many resolutions."""

import copy
from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

from mmengine.dist import get_world_size, is_main_process
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.registry import LOOPS
from mmengine.runner import TestLoop, ValLoop, autocast
from torch.utils.data import DataLoader

from mmpose_raf.datasets.multi_view_dataset import CollateViews
from mmpose_raf.errors import ConfigError, check_choice
from mmpose_raf.evaluation.drift_recorder import (DriftRecorder, HeldOutPart,
                                                  has_keypoints)
from mmpose_raf.evaluation.drift_result import FILE_NAME, GALLERY_NAME
from mmpose_raf.evaluation.multi_resolution_evaluation import (
    MultiResolutionEvaluation, Shown)
from mmpose_raf.evaluation.view import View, check_sizes, list_views
from mmpose_raf.sizes import Size
from .dataloaders import rebuild_dataloader
from .federation_settings import FederationSettings
from .personal_layers import published_personal
from .trained_sizes import find_trained_sizes

UPSAMPLE_MODES = ('bicubic', 'bilinear')


class MultiResolutionLoop:
    """What the loops over many resolutions share.

    Every input size gets its own crops, straight from the source image, which
    is loaded once for all sizes. The metrics of a size have it before their
    name, as in ``128x96/coco/AP`` (HxW). Added are the mean and the worst of
    one metric over the sizes of the training and over the others
    (``trained/mean``, ``unseen/worst``, ...), and ``drift``, the distance
    between its best and its worst. All of them can be followed by
    ``save_best`` and are drawn by the visualisation backends.

    Works with every top-down model whose head has a ``UDPHeatmap`` or
    ``MSRAHeatmap`` codec and whose backbone takes other sizes: CNNs,
    :class:`RAFViT`, ViTs with interpolated position embedding. Hooks see, in
    each iteration, the batch of the first size.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Loader of a top-down dataset in test
            mode, or its config.
        evaluator (Evaluator | dict | list): MMPose's metrics, or their
            config.
        input_sizes (list[tuple[int, int]]): Input sizes (w, h) in pixels.
        trained_sizes (list[tuple[int, int]], optional): Those seen in
            training. Defaults to None: the sizes of the federation's clients
            and of the model's ladder, or else of its codec.
        capture_sizes (list[tuple[int, int]]): Each input size is also shown
            as a smaller camera would have captured it, see
            :class:`CapturedTopdownAffine`. Defaults to ().
        upsample_to (tuple[int, int], optional): Each smaller input size is
            also enlarged to this before the model. Defaults to None.
        upsample_mode (str): ``'bicubic'`` or ``'bilinear'``. Defaults to
            ``'bicubic'``.
        key_metric (str, optional): The metric to summarise, e.g.
            ``'coco/AP'``. Defaults to None: what is usually reported (AP,
            PCK, PCKh or NME), or else the first.
        fp16 (bool): Whether to predict in half precision. Defaults to False.

    Raises:
        ConfigError: If a size does not fit the model, or the model or the
            data do not take other sizes.
    """

    #: 'val' or 'test', as in the names of the hooks' methods.
    mode: str

    def __init__(self,
                 runner,
                 dataloader: Union[DataLoader, Dict],
                 evaluator: Union[Evaluator, Dict, List],
                 input_sizes: Sequence[Size],
                 trained_sizes: Optional[Sequence[Size]] = None,
                 capture_sizes: Sequence[Size] = (),
                 upsample_to: Optional[Size] = None,
                 upsample_mode: str = 'bicubic',
                 key_metric: Optional[str] = None,
                 fp16: bool = False):
        super().__init__(runner, dataloader, evaluator, fp16)
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        if trained_sizes is None:
            trained_sizes = find_trained_sizes(
                FederationSettings.of_config(runner.cfg), model)
        else:
            check_sizes(trained_sizes, 'trained_sizes')
        if self.dataloader.batch_size is None:
            raise ConfigError(f'{self.mode}_dataloader.batch_sampler',
                              'it is set', 'use batch_size and sampler')
        self.evaluation = MultiResolutionEvaluation(
            model,
            self.dataloader.dataset,
            self.evaluator,
            self.extend_views(
                list_views(input_sizes, capture_sizes, upsample_to)),
            input_sizes,
            trained_sizes,
            key_metric=key_metric,
            upsample_mode=check_choice(upsample_mode, UPSAMPLE_MODES,
                                       'upsample_mode'))
        self.dataloader = rebuild_dataloader(
            self.dataloader,
            self.evaluation.dataset,
            batch_size=self.dataloader.batch_size,
            sampler=self.dataloader.sampler,
            drop_last=self.dataloader.drop_last,
            collate_fn=CollateViews(self.dataloader.collate_fn))

    def extend_views(self, views: List[View]) -> List[View]:
        """Add views that the loop needs for itself; here none."""
        return views

    def run(self) -> Dict[str, float]:
        """Evaluate all views.

        Returns:
            dict: The metrics, see the class.
        """
        self._call_hook('before_{}')
        self._call_hook('before_{}_epoch')
        self.runner.model.eval()
        for index, batches in enumerate(self.dataloader):
            self.run_iter(index, batches)
        metrics = self.evaluation.finish()
        self.conclude()
        self._call_hook('after_{}_epoch', metrics=metrics)
        self._call_hook('after_{}')
        return metrics

    def run_iter(self, idx: int, batches: Sequence[dict]):
        """Show a batch of persons in all views.

        Args:
            idx (int): Number of the batch.
            batches (list[dict]): One batch for each crop.
        """
        self._call_hook('before_{}_iter', batch_idx=idx, data_batch=batches[0])
        outputs = None
        with autocast(enabled=self.fp16):
            for shown in self.evaluation.step(batches):
                self.record(shown)
                outputs = outputs or shown.predictions
        self._call_hook(
            'after_{}_iter',
            batch_idx=idx,
            data_batch=batches[0],
            outputs=outputs)

    def record(self, shown: Shown):
        """Note a batch of one view; here nothing."""

    def conclude(self):
        """Do what is left after the last batch; here nothing."""

    def _call_hook(self, name: str, **kwargs):
        self.runner.call_hook(name.format(self.mode), **kwargs)


@LOOPS.register_module()
class MultiResolutionValLoop(MultiResolutionLoop, ValLoop):
    """Validation at many resolutions, see :class:`MultiResolutionLoop`."""

    mode = 'val'


@LOOPS.register_module()
class MultiResolutionTestLoop(MultiResolutionLoop, TestLoop):
    """Test at many resolutions, written down for a report.

    Beside the metrics of :class:`MultiResolutionLoop` it finds the decoder's
    ceiling and the cost of each view, the accuracy of each keypoint, and the
    accuracy of each of the federation's clients at its own resolution and on
    its held-out part: the test data, shared out by the federation's
    partitioner; a client with layers of its own (``local_params``) is judged
    with them. A client's resolution is evaluated even if ``input_sizes``
    lacks it, but not summarised. The result is written to the work dir as
    ``drift.json``, and a few persons in all views as ``drift_gallery.npz``.

    Args:
        *args: As in :class:`MultiResolutionLoop`.
        keypoint_threshold (float): Distance, as a share of the longer side
            of the person's box, within which a keypoint is right. Defaults
            to 0.1.
        num_persons (int): Persons in the gallery. Defaults to 5.
        **kwargs: As in :class:`MultiResolutionLoop`.
    """

    mode = 'test'

    def __init__(self,
                 runner,
                 dataloader: Union[DataLoader, Dict],
                 evaluator: Union[Evaluator, Dict, List],
                 *args,
                 keypoint_threshold: float = 0.1,
                 num_persons: int = 5,
                 **kwargs):
        if not keypoint_threshold > 0:
            raise ConfigError('keypoint_threshold',
                              f'got {keypoint_threshold!r}',
                              'use a share of the box, > 0')
        if not isinstance(num_persons, int) or num_persons < 1:
            raise ConfigError('num_persons', f'got {num_persons!r}',
                              'use an integer of at least 1')
        self._federation = FederationSettings.of_config(runner.cfg)
        super().__init__(runner, dataloader, evaluator, *args, **kwargs)
        parts = self._parts()
        part_evaluator = copy.deepcopy(evaluator) if parts else None
        if parts and not isinstance(evaluator, Evaluator):
            part_evaluator = runner.build_evaluator(part_evaluator)
        self.recorder = DriftRecorder(self.evaluation, parts, part_evaluator,
                                      keypoint_threshold, num_persons)

    def run(self) -> Dict[str, float]:
        """Evaluate all views, see :class:`MultiResolutionLoop`."""
        # The checkpoint has been loaded since this was made.
        self.recorder.personal = published_personal(self.runner.message_hub)
        return super().run()

    def extend_views(self, views: List[View]) -> List[View]:
        """Add the clients' own resolutions."""
        clients = self._federation.clients if self._federation else []
        own = [
            View(size, client.capture_size) for client in clients
            for size in client.input_sizes
        ]
        return list(dict.fromkeys([*views, *own]))

    def _parts(self) -> List[HeldOutPart]:
        """Share out the test data among the clients."""
        federation = self._federation
        if federation is None:
            return []
        dataset = self.evaluation.dataset.dataset
        reason = None
        if federation.clients[0].dataset is not None:
            reason = 'the clients have datasets of their own'
        elif get_world_size() > 1:
            # Padding, with which processes get equal shares, cannot be told
            # from the samples of a part.
            reason = 'there are several processes'
        elif not has_keypoints(dataset):
            reason = 'the boxes are those of a detector (bbox_file)'
        if reason is not None:
            self.runner.logger.info(f'No accuracy by client: {reason}')
            return []
        indices = federation.build_partitioner().for_held_out().partition(
            dataset, federation.clients, federation.seed)
        parts = [
            HeldOutPart(client.name, View(size, client.capture_size),
                        frozenset(client.part(own, index).tolist()))
            for client, own in zip(federation.clients, indices)
            for index, size in enumerate(client.input_sizes)
        ]
        return [part for part in parts if part.indices]

    def record(self, shown: Shown):
        """Note a batch of one view."""
        self.recorder.record(shown)

    def conclude(self):
        """Write the result."""
        folder = Path(self.runner.work_dir)
        result = self.recorder.result(folder.resolve().name)
        if is_main_process():
            self.recorder.build_gallery().save(folder / GALLERY_NAME)
            # Last: with it the evaluation is done.
            result.save(folder / FILE_NAME)
            self.runner.logger.info(f'Result: {folder / FILE_NAME}')
