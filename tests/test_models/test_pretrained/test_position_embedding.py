import pytest
import torch
import torch.nn.functional as F

from mmpose_raf.errors import ConfigError
from mmpose_raf.models.pretrained import fit_position_embedding


def bicubic(embedding, source, target):
    """Interpolate (1, h * w, C), by hand from tokens to a map and back."""
    channels = embedding.shape[-1]
    grid = torch.zeros(1, channels, *source)
    for row in range(source[0]):
        for column in range(source[1]):
            grid[0, :, row, column] = embedding[0, row * source[1] + column]
    grid = F.interpolate(
        grid, size=target, mode='bicubic', align_corners=False)
    return grid.flatten(2).transpose(1, 2)


@pytest.mark.parametrize('has_cls', [False, True])
@pytest.mark.parametrize('wants_cls', [0, 1])
@pytest.mark.parametrize('source, target', [
    ((16, 12), (16, 12)),
    ((16, 12), (8, 6)),
    ((16, 12), (24, 18)),
    ((14, 14), (16, 12)),
    ((14, 14), (28, 28)),
    ((16, 12), (32, 24)),
    ((12, 16), (6, 8)),
])
def test_grid_of_the_file_is_found(source, target, has_cls, wants_cls):
    patches = torch.randn(1, source[0] * source[1], 4)
    extra = torch.randn(1, int(has_cls), 4)
    fitted = fit_position_embedding(
        torch.cat((extra, patches), 1), target, num_extra=wants_cls)
    assert fitted.shape == (1, wants_cls + target[0] * target[1], 4)
    torch.testing.assert_close(fitted[:, wants_cls:],
                               bicubic(patches, source, target))
    if wants_cls:  # zeros where the file has none
        expected = extra[:, 0] if has_cls else torch.zeros(1, 4)
        assert torch.equal(fitted[:, 0], expected)


def test_a_grid_that_cannot_be_told_is_asked_for():
    with pytest.raises(ConfigError, match='pos_embed_grid.*193.*14x14'):
        fit_position_embedding(torch.randn(1, 193, 4), (14, 14), 0)


@pytest.mark.parametrize('grid', [(14, 14), (16, 13), (10, 10)])
def test_a_given_grid_that_does_not_explain_the_tokens_is_refused(grid):
    message = rf'pos_embed_grid: .*193.*{grid[0]}x{grid[1]} \(HxW\)'
    with pytest.raises(ConfigError, match=message) as error:
        fit_position_embedding(torch.randn(1, 193, 4), (16, 12), 0, grid)
    assert error.value.field == 'init_cfg.pos_embed_grid'


@pytest.mark.parametrize('wants_cls', [0, 1])
def test_an_extra_token_of_no_class_token_goes_to_all_patches(wants_cls):
    # ViTPose: x + pos_embed[:, 1:] + pos_embed[:, :1]
    embedding = torch.randn(1, 1 + 16 * 12, 4)
    fitted = fit_position_embedding(
        embedding, (16, 12), wants_cls, has_cls_token=False)
    torch.testing.assert_close(fitted[:, wants_cls:],
                               embedding[:, 1:] + embedding[:, :1])
    assert not fitted[:, :wants_cls].any()
