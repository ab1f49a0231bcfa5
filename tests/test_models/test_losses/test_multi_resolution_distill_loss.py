import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

from mmpose_raf.errors import ConfigError
from mmpose_raf.models import MultiResolutionDistillLoss


def constant(value, size, requires_grad=False):
    maps = torch.full((1, 1, *size), float(value))
    return maps.requires_grad_(requires_grad)


ONE = torch.ones(1, 1)


@pytest.mark.parametrize('teacher, expected', [('next', [4, 9]),
                                               ('highest', [4, 25])])
def test_the_teacher_is_the_next_or_the_highest(teacher, expected):
    heatmaps = [constant(1, (8, 6)), constant(3, (4, 3)), constant(6, (2, 2))]
    terms = MultiResolutionDistillLoss(teacher=teacher)(heatmaps, ONE)
    assert [term.item() for term in terms] == expected


def test_nearest_is_that_by_hand():
    teacher = torch.tensor([[[[1., 2.], [3., 4.]]]])
    student = torch.tensor([[[[2.]]]])
    term, = MultiResolutionDistillLoss()([teacher, student], ONE)
    assert term.item() == pytest.approx((1 + 0 + 1 + 4) / 4)


def test_nearest_rounds_down_at_a_ratio_of_four_to_three():
    student = torch.tensor([[[[1., 2., 3.]]]])
    # pixel i takes floor(i * 3 / 4)
    teacher = torch.tensor([[[[1., 1., 2., 3.]]]])
    term, = MultiResolutionDistillLoss()([teacher, student], ONE)
    assert term.item() == 0


def test_mean_is_over_the_teachers_pixels():
    teacher, student = torch.zeros(2, 3, 8, 6), torch.zeros(2, 3, 4, 3)
    student[0, 0, 0, 0] = 2  # four pixels of the teacher's size
    term, = MultiResolutionDistillLoss()([teacher, student], torch.ones(2, 3))
    assert term.item() == pytest.approx(4 * 4 / (2 * 3 * 8 * 6))


def test_weights_are_inside_the_square():
    teacher, student = torch.zeros(2, 2, 4, 4), torch.ones(2, 2, 2, 2)
    weights = torch.tensor([[1., 0.], [.5, 2.]])
    term, = MultiResolutionDistillLoss()([teacher, student], weights)
    assert term.item() == pytest.approx((1 + 0 + .25 + 4) / 4)


def test_invisible_keypoints_get_no_gradient():
    teacher = torch.randn(1, 2, 4, 4)
    student = torch.randn(1, 2, 2, 2, requires_grad=True)
    term, = MultiResolutionDistillLoss()([teacher, student],
                                         torch.tensor([[0., 1.]]))
    term.backward()
    assert not student.grad[0, 0].any()
    assert student.grad[0, 1].all()


@pytest.mark.parametrize('teacher', ['next', 'highest'])
@pytest.mark.parametrize('resize', ['nearest', 'bilinear', 'teacher'])
def test_no_gradient_enters_a_teacher(teacher, resize):
    high = constant(1, (8, 6), True)
    mid = constant(3, (4, 3), True)
    low = constant(6, (2, 2), True)
    loss = MultiResolutionDistillLoss(teacher=teacher, resize=resize)
    terms = loss([high, mid, low], ONE)
    terms[1].backward()
    assert high.grad is None
    assert mid.grad is None  # the teacher of a chain's lowest level
    assert low.grad.abs().sum() > 0
    terms[0].backward()
    assert high.grad is None
    # 2 * (3 - 1), the mean over the pixels undone
    assert mid.grad.sum().item() == pytest.approx(4)


def test_gradient_is_that_of_the_formula():
    teacher = torch.randn(2, 3, 8, 6)
    weights = torch.rand(2, 3)
    student = torch.randn(2, 3, 4, 3, requires_grad=True)
    term, = MultiResolutionDistillLoss()([teacher, student], weights)
    gradient, = torch.autograd.grad(term, student)
    error = student.repeat_interleave(2, 2).repeat_interleave(2, 3) - teacher
    error = 2 * error * weights[..., None, None]**2 / teacher.numel()
    expected = error.reshape(2, 3, 4, 2, 3, 2).sum((3, 5))
    torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize('use_udp', [False, True])
def test_bilinear_students_agree_on_a_ramp(use_udp):
    # A linear heatmap is the same at both sizes in the codec's coordinates.
    ratio = 15 / 7 if use_udp else 2
    at = torch.arange(16.)
    teacher = at.repeat(12, 1)[None, None]
    student = (ratio * torch.arange(8.)).repeat(6, 1)[None, None]
    if not use_udp:  # beyond the last pixel of the student it stays
        teacher = at.clamp(max=14).repeat(12, 1)[None, None]
    loss = MultiResolutionDistillLoss(resize='bilinear')
    term, = loss([teacher, student], ONE, use_udp)
    assert term.item() == pytest.approx(0, abs=1e-9)
    other, = loss([teacher, student], ONE, not use_udp)
    assert other.item() > .01
    nearest, = MultiResolutionDistillLoss()([teacher, student], ONE)
    assert nearest.item() > .01


def test_bilinear_is_that_of_interpolate():
    teacher, student = torch.randn(2, 3, 12, 8), torch.randn(2, 3, 9, 6)
    enlarged = F.interpolate(
        student, size=(12, 8), mode='bilinear', align_corners=True)
    loss = MultiResolutionDistillLoss(resize='bilinear')
    term, = loss([teacher, student], torch.ones(2, 3))
    torch.testing.assert_close(term, F.mse_loss(enlarged, teacher))


def test_a_smaller_teacher_is_that_of_interpolate():
    teacher, student = torch.randn(2, 3, 12, 8), torch.randn(2, 3, 9, 6)
    smaller = F.interpolate(
        teacher, size=(9, 6), mode='bilinear', align_corners=True)
    loss = MultiResolutionDistillLoss(resize='teacher')
    weights = torch.rand(2, 3)
    term, = loss([teacher, student], weights)
    expected = (weights[..., None, None] * (student - smaller))**2
    torch.testing.assert_close(term, expected.mean())


def test_one_level_has_no_term():
    assert MultiResolutionDistillLoss()([constant(1, (2, 2))], ONE) == []


def test_alpha_is_kept_for_the_caller():
    heatmaps = [constant(1, (2, 2)), constant(2, (1, 1))]
    term, = MultiResolutionDistillLoss(alpha=.25)(heatmaps, ONE)
    assert term.item() == 1
    assert MultiResolutionDistillLoss(alpha=.25).alpha == .25
    assert MultiResolutionDistillLoss().alpha == 1


@pytest.mark.parametrize('resize', ['nearest', 'bilinear', 'teacher'])
def test_half_precision_is_summed_in_float32(resize):
    teacher = torch.randn(2, 3, 16, 12).bfloat16()
    student = torch.randn(2, 3, 8, 6).bfloat16()
    loss = MultiResolutionDistillLoss(resize=resize)
    term, = loss([teacher, student], torch.ones(2, 3))
    exact, = loss([teacher.float(), student.float()], torch.ones(2, 3))
    assert term.dtype == torch.float32
    assert term == exact


@pytest.mark.parametrize('argument, field', [
    (dict(alpha=-.1), 'distill.alpha'),
    (dict(teacher='lowest'), 'distill.teacher'),
    (dict(resize='bicubic'), 'distill.resize'),
])
def test_wrong_arguments_are_refused(argument, field):
    value, = argument.values()
    with pytest.raises(ConfigError) as error:
        MODELS.build(dict(type='MultiResolutionDistillLoss', **argument))
    assert error.value.field == field
    assert repr(value) in str(error.value)
