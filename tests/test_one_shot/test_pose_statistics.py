"""What clients send of their poses, and what is drawn from it."""

import numpy as np
import pytest
import torch

from mmpose_raf.errors import ConfigError
from mmpose_raf.one_shot.pose_prior import ClientPoses, DatasetPoses
from mmpose_raf.one_shot.pose_statistics import (PoseStatistics, from_frame,
                                                 to_frame)
from tests.toy import toy_dataset


def random_poses(seed, count=200, num_keypoints=3):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(2 * num_keypoints, ) * 2) / 10
    poses = .5 + rng.normal(size=(count, 2 * num_keypoints)) @ mixing
    return torch.tensor(poses.reshape(count, num_keypoints, 2))


def test_mean_and_covariance():
    poses = random_poses(0)
    found = PoseStatistics.of_poses(poses, torch.ones(200, 3))
    flat = poses.flatten(1).numpy()
    np.testing.assert_allclose(found.mean, flat.mean(0))
    np.testing.assert_allclose(found.covariance, np.cov(flat.T, ddof=0))
    assert found.frequencies.tolist() == [1, 1, 1]


def test_keypoints_that_are_not_labelled_do_not_count():
    poses = random_poses(1)
    visible = (torch.rand(200, 3, generator=torch.Generator().manual_seed(0))
               < .6).float()
    garbage = poses.where(visible[..., None] > 0, 1e6)
    found = PoseStatistics.of_poses(garbage, visible)
    for i in range(6):
        for j in range(6):
            both = (visible[:, i // 2] * visible[:, j // 2] > 0).numpy()
            pair = poses.flatten(1)[:, [i, j]].numpy()[both]
            assert found.covariance[i, j].item() == pytest.approx(
                np.cov(pair.T, ddof=0)[0, 1])
    np.testing.assert_allclose(found.frequencies, visible.mean(0))


def test_sums_of_batches_are_those_of_all():
    poses, visible = random_poses(2), (torch.rand(200, 3) < .8).float()
    whole = PoseStatistics.of_poses(poses, visible)
    parts = PoseStatistics.of_poses(
        poses[:70], visible[:70]) + PoseStatistics.of_poses(
            poses[70:], visible[70:])
    for name, value in vars(whole).items():
        torch.testing.assert_close(vars(parts)[name], value)


def test_nothing_but_sums_is_sent():
    """No single pose can be read off: 10 and 1000 poses take as much."""
    sizes = {
        tuple(value.shape for value in vars(
            PoseStatistics.of_poses(
                random_poses(0, count), torch.ones(count, 3))).values())
        for count in (10, 1000)
    }
    assert sizes == {((), (3, ), (6, 6), (6, 6), (6, 6))}


def test_drawn_poses_are_like_the_clients():
    """Means, covariances and frequencies of a mixture."""
    first, second = random_poses(3), random_poses(4, 600) + .3
    rare = torch.ones(600, 3)
    rare[:450, 1] = 0
    prior = ClientPoses([
        PoseStatistics.of_poses(first, torch.ones(200, 3)),
        PoseStatistics.of_poses(second, rare)
    ])
    poses, labelled = prior.draw(20000, torch.Generator().manual_seed(0))
    assert poses.shape == (20000, 3, 2) and poses.dtype == torch.float32
    # A quarter of the first, three of the second; of those a quarter has it.
    np.testing.assert_allclose(
        labelled.mean(0), [1, .25 + .75 * .25, 1], atol=.015)
    everything = torch.cat((first, second))[:, [0, 2]].flatten(1).numpy()
    drawn = poses[:, [0, 2]].flatten(1).numpy()
    np.testing.assert_allclose(
        drawn.mean(0), everything.mean(0), atol=.01)
    np.testing.assert_allclose(
        np.cov(drawn.T), np.cov(everything.T), atol=.01)
    again, _ = prior.draw(20000, torch.Generator().manual_seed(0))
    assert torch.equal(poses, again)


def test_a_keypoint_that_is_never_labelled():
    visible = torch.ones(200, 3)
    visible[:, 2] = 0
    prior = ClientPoses([PoseStatistics.of_poses(random_poses(5), visible)])
    poses, labelled = prior.draw(50, torch.Generator().manual_seed(0))
    assert poses.isfinite().all() and not labelled[:, 2].any()


@pytest.mark.parametrize('use_udp', [True, False])
def test_frames(use_udp):
    keypoints = torch.tensor([[0., 0.], [47., 63.], [12., 40.]])
    shares = to_frame(keypoints, (48, 64), use_udp)
    assert shares.max() == 1 if use_udp else shares.max() < 1
    torch.testing.assert_close(
        from_frame(shares, (48, 64), use_udp), keypoints)


def test_poses_of_a_dataset():
    """Each is one of its poses, as its pipeline crops them."""
    prior = DatasetPoses(toy_dataset(3, augmented=False), 3, use_udp=True)
    expected = torch.stack([
        torch.as_tensor(prior.dataset[i]['data_samples'].gt_instances.
                        transformed_keypoints[0] / [47, 63]).float()
        for i in range(3)
    ])
    poses, labelled = prior.draw(20, torch.Generator().manual_seed(0))
    distances = (poses[:, None] - expected).abs().amax((2, 3))
    assert (distances.amin(1) < 1e-6).all() and labelled.all()
    assert len(set(distances.argmin(1).tolist())) == 3
    with pytest.raises(ConfigError, match='3 keypoints, and the model 17'):
        DatasetPoses(toy_dataset(3), 17, use_udp=True)
    unpacked = toy_dataset(3)
    unpacked['pipeline'][-1].pop('pack_transformed')
    with pytest.raises(ConfigError, match='pack_transformed'):
        DatasetPoses(unpacked, 3, use_udp=True)
