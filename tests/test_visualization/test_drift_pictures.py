"""Pictures of results: that they show the data, and nothing is cut off."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from mmpose_raf.errors import ConfigError
from mmpose_raf.evaluation.view import View, list_views
from mmpose_raf.visualization import (draw_pose_gallery, plot_capture_curves,
                                      plot_keypoint_accuracy,
                                      plot_resolution_curve,
                                      plot_training_curves, plot_upsampling)
from mmpose_raf.visualization.line_plot import line_style
from tests.test_evaluation.drift_results import (HIGH, LOW, MIDDLE,
                                                 make_gallery, make_result)

SIZES = [(24, 32), (48, 64), (72, 96), (96, 128), (120, 160), (144, 192),
         (192, 256)]
LONG = 'raf_vitpose_base_ladder_area_degradation_relative_position_bias_'


@pytest.fixture
def draw(saved_figures, tmp_path):
    """Call a plot function; return the figure that it saved."""
    def call(plot, *data, **options):
        plot(*data, path=tmp_path / 'picture.png', **options)
        assert (tmp_path / 'picture.png').read_bytes()[1:4] == b'PNG'
        return saved_figures[-1]

    return call


def assert_all_on_canvas(figure):
    """All that is drawn, texts included, lies on the canvas."""
    figure.draw_without_rendering()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0
    assert box.x1 <= width and box.y1 <= height


def assert_legend_is_free(figure):
    """The legend overlaps no axes, and no text of theirs."""
    figure.draw_without_rendering()
    legend, = figure.legends
    box = legend.get_window_extent()
    for axes in figure.axes:
        assert not box.overlaps(axes.get_tightbbox())


def labelled(figure):
    """Handles of the legend by their labels."""
    legend, = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    return dict(zip(texts, legend.legend_handles))


def lines_of(axes):
    """Points of all lines of some axes, without those of error bars."""
    return [
        line.get_xydata().round(6).tolist() for line in axes.lines
        if line.get_marker() not in ('_', '|')
    ]


def tick_texts(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_curve_shows_means_spreads_ceiling_and_trained_sizes(draw):
    figure = draw(plot_resolution_curve, [
        make_result('raf-seed0', {
            LOW: 0.5,
            MIDDLE: 0.6,
            HIGH: 0.8
        }, {LOW: 0.9}, {View(HIGH, capture_size=LOW): 0.1}),
        make_result('raf-seed1', {
            LOW: 0.7,
            MIDDLE: 0.6,
            HIGH: 0.8
        }, {LOW: 0.9, HIGH: 0.95}),
        make_result('other', {
            LOW: 0.2,
            HIGH: 0.25
        }, trained_sizes=[HIGH]),
    ])
    axes, = figure.axes
    assert lines_of(axes) == [
        [[64, 60], [96, 60], [128, 80]],
        [[64, 60], [128, 80]],  # filled markers of its trained sizes
        [[64, 20], [128, 25]],
        [[128, 25]],
        [[64, 90], [128, 95]],
    ]
    bars = [
        collection.get_segments() for collection in axes.collections
        if len(collection.get_segments())
    ]
    assert len(bars) == 1
    spread = 100 * np.std([0.5, 0.7], ddof=1)
    assert np.allclose(bars[0], [[[64, 60 - spread], [64, 60 + spread]],
                                 [[96, 60], [96, 60]], [[128, 80], [128, 80]]])
    assert [
        patch.get_x() < height < patch.get_x() + patch.get_width()
        for patch, height in zip(
            sorted(axes.patches, key=lambda band: band.get_x()), (64, 128))
    ] == [True, True]
    assert len(axes.patches) == 2
    assert axes.get_xscale() == 'log'
    assert tick_texts(axes.xaxis) == ['64x48', '96x72', '128x96']
    assert axes.get_ylabel() == 'PCK in %'
    assert list(labelled(figure)) == [
        'raf', 'other', 'ceiling of the decoder', 'trained size'
    ]


def test_a_collapse_and_the_ceiling_leave_a_close_up(draw):
    """A tenth of the axis would be left of the trained sizes."""
    tiny = (24, 32)
    figure = draw(plot_resolution_curve, [
        make_result('raf', {tiny: 0.5, LOW: 0.62, HIGH: 0.68}, {LOW: 1.}),
        make_result('other', {tiny: 0.1, LOW: 0.60, HIGH: 0.70}, {LOW: 1.}),
    ])
    whole, close = figure.axes
    assert lines_of(whole) == lines_of(close)
    low, high = whole.get_ylim()
    assert low < 10 and high > 100
    # Those of the trained sizes fill the panel, with a margin.
    assert close.get_ylim() == pytest.approx((60 - 1.5, 70 + 1.5))
    assert close.get_ylabel() == 'PCK in %, close-up'
    assert whole.get_ylabel() == 'PCK in %'
    assert tick_texts(close.xaxis) == ['32x24', '64x48', '128x96']
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_an_error_is_shown_as_it_is(draw):
    figure = draw(plot_resolution_curve, [
        make_result(
            'a', {HIGH: 0.03}, key_metric='NME', rule='less', trained_sizes=[])
    ])
    assert lines_of(figure.axes[0])[0] == [[128, 0.03]]
    assert figure.axes[0].get_ylabel() == 'NME, less is better'
    assert list(labelled(figure)) == ['a']


def test_sizes_of_one_height_share_a_tick(draw):
    figure = draw(plot_resolution_curve,
                  [make_result('a', {
                      (48, 64): 0.5,
                      (64, 64): 0.6
                  })])
    assert tick_texts(figure.axes[0].xaxis) == ['64x48\n64x64']


def test_styles_differ_in_black_and_white():
    styles = [line_style(index) for index in range(40)]
    assert len({(s['marker'], str(s['linestyle'])) for s in styles}) == 40
    assert len({s['marker'] for s in styles[:12]}) == 12


@pytest.mark.parametrize('num_runs', [1, 3, 9])
@pytest.mark.parametrize('sizes', [SIZES, SIZES[1::2]])
def test_long_names_stay_on_the_canvas(draw, num_runs, sizes):
    figure = draw(plot_resolution_curve, [
        make_result(f'{LONG * 2}{run}', dict.fromkeys(sizes, 0.1 * run),
                    dict.fromkeys(sizes, 1.)) for run in range(num_runs)
    ])
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)
    handles = list(labelled(figure).values())[:num_runs]
    assert len({handle.get_marker() for handle in handles}) == num_runs


def test_names_are_no_formulas(draw):
    figure = draw(plot_resolution_curve,
                  [make_result('_$a$ of $b', {LOW: 0.5})])
    assert r'_\$a\$ of \$b' in labelled(figure)
    assert_all_on_canvas(figure)


def test_captures_are_lines_that_end_in_the_source(draw):
    figure = draw(
        plot_capture_curves,
        make_result(2 * LONG, {
            MIDDLE: 0.6,
            HIGH: 0.8
        },
                    others={
                        View(HIGH, capture_size=MIDDLE): 0.7,
                        View(HIGH, capture_size=LOW): 0.5,
                        View(MIDDLE, capture_size=LOW): 0.4,
                        View(LOW, upsample_to=HIGH): 0.1,
                    }))
    axes, = figure.axes
    source = 153.6  # 1.6 times the largest
    assert lines_of(axes) == [
        [[64, 40], [source, 60]],
        [[64, 50], [96, 70], [source, 80]],
    ]
    assert tick_texts(axes.xaxis) == ['64x48', '96x72', 'source image']
    assert list(
        labelled(figure)) == ['input 96x72, unseen', 'input 128x96, trained']
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_enlarged_crops_are_paired_with_plain_ones(draw):
    figure = draw(
        plot_upsampling,
        make_result(2 * LONG, {
            LOW: 0.4,
            MIDDLE: 0.6,
            HIGH: 0.8
        },
                    others={
                        View(LOW, upsample_to=HIGH): 0.5,
                        View(MIDDLE, upsample_to=HIGH): 0.55,
                        View(HIGH, capture_size=LOW): 0.1,
                    }))
    plain, *pairs, enlarged = lines_of(figure.axes[0])
    assert plain == [[64, 40], [96, 60]]
    assert enlarged == [[64, 50], [96, 55]]
    assert sorted(pairs) == [[[64, 40], [64, 50]], [[96, 60], [96, 55]]]
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_keypoint_map_has_a_number_in_every_cell(draw):
    result = make_result(2 * LONG, {
        LOW: 0.5,
        HIGH: 0.5
    },
                         keypoint_names=['nose', 'left_wrist', 'tail'])
    result.views[0].keypoint_accuracy = [0.1, 0.95, None]
    result.views[1].keypoint_accuracy = [0.254, 1.0, None]
    figure = draw(plot_keypoint_accuracy, result)
    axes, bar = figure.axes
    cells = {
        (int(text.get_position()[1]), int(text.get_position()[0])):
        (text.get_text(), text.get_color())
        for text in axes.texts
    }
    assert cells == {
        (0, 0): ('10', 'white'),
        (0, 1): ('25', 'white'),
        (1, 0): ('95', 'black'),
        (1, 1): ('100', 'black'),
        (2, 0): ('–', 'black'),
        (2, 1): ('–', 'black')
    }
    shown = axes.images[0].get_array()
    assert np.allclose(shown[:2], [[10, 25.4], [95, 100]])
    assert shown.mask[2].all()
    assert tick_texts(axes.yaxis) == ['nose', 'left_wrist', 'tail']
    assert tick_texts(axes.xaxis) == ['64x48, trained', '128x96, trained']
    assert '0.3' in bar.get_ylabel() and '%' in bar.get_ylabel()
    assert_all_on_canvas(figure)


def test_map_of_a_face_keeps_its_labels_apart(draw):
    result = make_result(
        LONG,
        dict.fromkeys(SIZES, 0.5),
        keypoint_names=[f'landmark_{index}' for index in range(68)])
    figure = draw(plot_keypoint_accuracy, result)
    axes = figure.axes[0]
    assert not axes.texts
    assert_all_on_canvas(figure)
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(boxes) == 68
    assert all(upper.y0 >= lower.y1 for upper, lower in zip(boxes, boxes[1:]))


def test_training_has_a_panel_for_each_quantity_that_was_logged(draw):
    figure = draw(
        plot_training_curves, {
            'high':
            dict(loss=[(1, 0.5), (2, 0.25)],
                 seconds=[(1, 9), (2, 9)],
                 update_cosine=[(2, 0.75)]),
            'low':
            dict(loss=[(2, 0.125)]),
            'features':
            dict(moved=[(1, 0.5)], from_start=[(1, 0.625)])
        })
    assert [lines_of(axes) for axes in figure.axes] == [
        [[[1, 0.5], [2, 0.25]], [[2, 0.125]]],
        [[[2, 0.75]]],
        [[[1, 0.5]], [[1, 0.625]]],
    ]
    assert list(labelled(figure))[:2] == ['high', 'low']
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_training_of_many_clients_stays_on_the_canvas(draw):
    figure = draw(
        plot_training_curves, {
            f'client {LONG}{index}':
            dict(loss=[(step, 1 / step) for step in range(1, 100)])
            for index in range(20)
        })
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_training_without_anything_to_plot_is_refused(draw):
    with pytest.raises(ConfigError, match='training log'):
        draw(plot_training_curves, {'high': dict(seconds=[(1, 1.)])})


def test_gallery_has_persons_as_rows_and_views_as_columns(draw):
    views = list_views([LOW, (64, 64)], upsample_to=HIGH)
    gallery = make_gallery(views, num_people=3)
    gallery.views[1].scores[:, 0] = 0.1
    gallery.views[1].visible[0] = False
    figure = draw(draw_pose_gallery, gallery, ['64x48'])
    grid = np.array(figure.axes).reshape(3, len(views))
    assert [axes.get_title() for axes in grid[0]] == [
        '64x48\ntrained', '64x64\nunseen',
        '64x48\nupsampled to\n128x96\nunseen',
        '64x64\nupsampled to\n128x96\nunseen'
    ]
    for (person, column), axes in np.ndenumerate(grid):
        image, = axes.images
        assert np.array_equal(image.get_array(),
                              gallery.views[column].crops[person])
        assert image.get_interpolation() == 'nearest'
        assert axes.get_xlim() == (0, 1) and axes.get_ylim() == (1, 0)
    drawn = grid[2, 0].collections[0].get_offsets()
    assert np.allclose(drawn, gallery.views[0].predicted[2])
    # Links 0-1 and 1-2, predicted and annotated, and the annotated points
    assert len(grid[2, 0].lines) == 5
    # Unsure of keypoint 0, and no annotation
    assert np.allclose(grid[0, 1].collections[0].get_offsets(),
                       gallery.views[1].predicted[0, 1:])
    first, *others = lines_of(grid[0, 1])
    assert np.allclose(first, gallery.views[1].predicted[0, [1, 2]])
    assert others == [[]]
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_gallery_says_why_a_crop_has_no_prediction(draw):
    gallery = make_gallery([View(LOW), View(HIGH)], num_people=2)
    gallery.views[0].scores[1] = [0.05, 0.125, 0.1, 0.]
    gallery.views[1].scores[:] = 0.9
    figure = draw(draw_pose_gallery, gallery, ['64x48'], score_thr=0.2)
    grid = np.array(figure.axes).reshape(2, 2)
    notes = [[axes.texts[0].get_text() for axes in row if axes.texts]
             for row in grid]
    assert notes[1] == ['no prediction:\nscores ≤ 0.12']
    assert_all_on_canvas(figure)


def test_gallery_has_the_colours_of_its_legend(draw):
    gallery = make_gallery([View(LOW)], num_people=1)
    figure = draw(draw_pose_gallery, gallery, [])
    axes, = figure.axes
    handle = labelled(figure)['predicted, score ≥ 0.2']
    limbs = [line.get_color() for line in axes.lines
             if line.get_linewidth() == 3]
    assert len(limbs) == 2 and set(limbs) == {handle.get_color()}
    assert same_color(axes.collections[0].get_facecolor()[0],
                      handle.get_color())


def test_gallery_of_a_single_crop_without_a_skeleton(draw):
    gallery = make_gallery([View(LOW, capture_size=(24, 32))], num_people=1)
    gallery.skeleton = np.zeros((0, 2), int)
    figure = draw(draw_pose_gallery, gallery, [])
    assert_all_on_canvas(figure)
    assert_legend_is_free(figure)


def test_titles_of_many_views_do_not_meet(draw):
    gallery = make_gallery(
        list_views(SIZES, [(48, 64)], (192, 256)), num_people=1)
    figure = draw(draw_pose_gallery, gallery, [])
    figure.draw_without_rendering()
    boxes = [
        axes.title.get_window_extent()
        for axes in figure.axes[:len(gallery.views)]
    ]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:]))
