"""What all attacks share."""

from abc import ABCMeta, abstractmethod
from typing import Sequence

from mmcv.transforms import BaseTransform
from torch import Generator

from mmpose_raf.federation.state_math import State


class SampleAttack(BaseTransform):
    """Poisons the samples that a client trains on.

    It is a transform of MMPose, right after ``TopdownAffine``: in a pipeline
    of training it spoils ``img`` and ``transformed_keypoints`` of the crop,
    in one of evaluation the image alone, for metrics go by ``keypoints``.
    Lengths are shares of the crop, so that all resolutions are alike.
    """

    def check(self, metainfo: dict):
        """Refuse a dataset that the attack makes no sense on.

        Args:
            metainfo (dict): The dataset's.

        Raises:
            ValueError: If it does not.
        """


class UpdateAttack(metaclass=ABCMeta):
    """Poisons the update that a client sends.

    Only parameters: buffers, and what a local objective sends besides, stay
    as they were trained.

    Attributes:
        needs_others (bool): Whether it looks at the round's other updates,
            and so has to wait for them.
    """

    needs_others = False

    @abstractmethod
    def poison(self, way: State, others: Sequence[State],
               generator: Generator) -> State:
        """Change an update.

        Args:
            way (dict[str, Tensor]): How far the client's parameters have
                moved in its training, Delta = w_k - w_t.
            others (list[dict[str, Tensor]]): The same of the honest clients
                of the round; empty unless it ``needs_others``.
            generator (torch.Generator): Where random numbers come from, on
                the CPU.

        Returns:
            dict[str, Tensor]: How far the client pretends that they have; a
            new state.
        """
