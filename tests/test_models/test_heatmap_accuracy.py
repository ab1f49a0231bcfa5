import numpy as np
import pytest
import torch
from mmpose.evaluation.functional import pose_pck_accuracy

from mmpose_raf.models.heatmap_accuracy import heatmap_accuracy


def theirs(output, target, visible, thr):
    _, accuracy, _ = pose_pck_accuracy(output.numpy(), target.numpy(),
                                       visible.numpy(), thr)
    return accuracy


def peaks_near(target, distance, generator):
    """Heatmaps whose maxima are up to ``distance`` pixels off."""
    output = .5 * torch.rand(target.shape, generator=generator)
    batch, keypoints, height, width = target.shape
    for b in range(batch):
        for k in range(keypoints):
            index = target[b, k].argmax().item()
            dy, dx = torch.randint(
                -distance, distance + 1, (2, ), generator=generator).tolist()
            y = min(max(index // width + dy, 0), height - 1)
            x = min(max(index % width + dx, 0), width - 1)
            output[b, k, y, x] = 1
    return output


@pytest.mark.parametrize('size', [(64, 48), (48, 64), (20, 20), (40, 60)])
@pytest.mark.parametrize('thr', [.05, .1, .5])
def test_it_is_mmposes(size, thr):
    generator = torch.Generator().manual_seed(0)
    accuracies = []
    for _ in range(5):
        target = torch.rand(4, 7, *size, generator=generator)
        output = peaks_near(target, 6, generator)
        visible = torch.rand(4, 7, generator=generator) > .3
        visible[:, 0] = False
        accuracy = heatmap_accuracy(output, target, visible, thr)
        expected = theirs(output, target, visible, thr)
        assert accuracy.item() == pytest.approx(expected, abs=1e-6)
        accuracies.append(expected)
    assert max(accuracies) > 0 and (thr == .5 or min(accuracies) < 1)


@pytest.mark.parametrize('empty', ['output', 'target', 'both'])
def test_maxima_that_are_not_positive(empty):
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(3, 5, 16, 12, generator=generator)
    output = peaks_near(target, 1, generator)
    # all negative, zero, and -1 next to the pixel (0, 0)
    both = dict(output=output, target=target)
    for heatmaps in [both[empty]] if empty in both else both.values():
        heatmaps[0, 0] -= 2
        heatmaps[1, 1] = 0
        heatmaps[2, 2] = -1
    target[2, 3] = 0
    output[2, 3] = 0
    output[2, 3, 0, 0] = 1
    visible = torch.ones(3, 5, dtype=torch.bool)
    for thr in (.05, .1, .2):
        accuracy = heatmap_accuracy(output, target, visible, thr)
        expected = theirs(output, target, visible, thr)
        assert expected > 0
        assert accuracy.item() == pytest.approx(expected, abs=1e-6)


def test_axes_are_divided_as_in_mmpose():
    # x by the height: 4 of 100 is near, y by the width: 4 of 20 is far
    target = torch.zeros(1, 2, 100, 20)
    output = torch.zeros(1, 2, 100, 20)
    target[0, :, 50, 10] = 1
    output[0, 0, 50, 14] = 1
    output[0, 1, 54, 10] = 1
    visible = torch.ones(1, 2, dtype=torch.bool)
    assert heatmap_accuracy(output, target, visible).item() == .5
    assert theirs(output, target, visible, .05) == .5


def test_a_distance_of_exactly_the_threshold_is_wrong():
    target, output = torch.zeros(1, 1, 40, 40), torch.zeros(1, 1, 40, 40)
    target[0, 0, 10, 10] = output[0, 0, 10, 12] = 1
    visible = torch.ones(1, 1, dtype=torch.bool)
    assert heatmap_accuracy(output, target, visible).item() == 0
    assert theirs(output, target, visible, .05) == 0


def test_average_is_over_keypoints_not_over_instances():
    target, output = torch.zeros(3, 2, 8, 8), torch.zeros(3, 2, 8, 8)
    target[:, :, 4, 4] = 1
    output[:, 0, 4, 4] = 1
    output[:, 1, 0, 0] = 1
    visible = torch.tensor([[True, True], [True, False], [True, False]])
    assert heatmap_accuracy(output, target, visible).item() == .5


def test_accuracy_is_0_where_nobody_is_visible():
    heatmaps = torch.rand(2, 3, 8, 8)
    visible = torch.zeros(2, 3, dtype=torch.bool)
    assert heatmap_accuracy(heatmaps, heatmaps, visible).item() == 0
    assert theirs(heatmaps, heatmaps, visible, .05) == 0


def test_bfloat16_is_taken():
    target = torch.rand(2, 3, 16, 12)
    visible = torch.ones(2, 3, dtype=torch.bool)
    output = target.bfloat16()
    expected = theirs(output.float(), target, visible, .05)
    accuracy = heatmap_accuracy(output, target, visible)
    assert np.isclose(accuracy.item(), expected)
