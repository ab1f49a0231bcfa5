"""MMPose's to_numpy and bfloat16."""

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmpose_raf_compat import bfloat16


def test_values():
    from mmpose.utils.tensor_utils import to_numpy
    values = [[0.5, -3.], [1024., 0.]]  # exact in bfloat16
    tensor = torch.tensor(values, dtype=torch.bfloat16)
    array, device = to_numpy(tensor, return_device=True)
    assert array.dtype == np.float32 and device == tensor.device
    assert array.tolist() == values
    for array in to_numpy([tensor, tensor]):
        assert array.tolist() == values
    pair = to_numpy((tensor, tensor + 1), unzip=True)[1]
    assert [array.tolist() for array in pair] == [[[1024., 0.]], [[1024., 1.]]]


@pytest.mark.parametrize('dtype', [torch.float16, torch.float64, torch.int])
def test_other_types_stay(dtype):
    from mmpose.utils.tensor_utils import to_numpy
    tensor = torch.ones(2, dtype=dtype)
    assert to_numpy(tensor).dtype == tensor.numpy().dtype
    array = np.ones(2)
    assert to_numpy(array) is array


def test_works_already(site):
    site({'fake_cured.py': 'def to_numpy(x): return x.float().numpy()'})
    import fake_cured
    to_numpy = fake_cured.to_numpy
    bfloat16._accept_bfloat16(fake_cured)
    assert fake_cured.to_numpy is to_numpy


def test_importers(site):
    """Modules that took the name before have the new function."""
    site({
        'fake_source.py': '''
        def to_numpy(x):
            """The original."""
            return x.numpy()
        ''',
        'fake_user.py': 'from fake_source import to_numpy',
    })
    import fake_source
    import fake_user
    bfloat16._accept_bfloat16(fake_source)
    assert fake_user.to_numpy is fake_source.to_numpy
    assert fake_user.to_numpy.__doc__ == 'The original.'
    tensor = torch.ones(1, dtype=torch.bfloat16)
    assert fake_user.to_numpy(tensor).dtype == np.float32


def test_loss_of_heatmap_head():
    from mmpose.models.heads import HeatmapHead
    from mmpose.structures import PoseDataSample
    from mmpose.utils import register_all_modules
    register_all_modules()
    head = HeatmapHead(4,
                       2,
                       deconv_out_channels=None,
                       loss=dict(type='KeypointMSELoss'))
    sample = PoseDataSample(
        gt_fields=InstanceData(heatmaps=torch.rand(2, 8, 8)),
        gt_instance_labels=InstanceData(keypoint_weights=torch.ones(1, 2)))
    with torch.autocast('cpu', torch.bfloat16):
        losses = head.loss((torch.rand(1, 4, 8, 8), ), [sample])
    assert 0 <= losses['acc_pose'] <= 1
