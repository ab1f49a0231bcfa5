"""Broken annotations are found before training."""

import json
import math

import pytest
from mmpose.datasets import CocoDataset

from mmpose_raf.datasets.annotation_check import check_annotation_file
from mmpose_raf.errors import ConfigError
from tests.shared_data import shared_data
from tests.test_tools.small_coco import write_data

FIELD = 'train_dataloader.dataset.ann_file'


@pytest.fixture
def folder(tmp_path):
    """Seven images of 60x70 pixels with a person each, of 40x40 pixels."""
    write_data(tmp_path)
    return tmp_path


def read(folder):
    return json.loads((folder / 'people.json').read_text())


def write(folder, content):
    (folder / 'people.json').write_text(json.dumps(content))


def check(folder, **options):
    return check_annotation_file(folder / 'people.json', FIELD,
                                 str(folder / 'images'), **options)


def refusal(folder, **options):
    with pytest.raises(ConfigError) as error:
        check(folder, **options)
    assert error.value.field == FIELD
    assert '\n' not in str(error.value)
    assert str(folder / 'people.json') in str(error.value)
    return str(error.value)


def test_whole(folder):
    report = check(folder, opens_images=True)
    assert report.num_kept == 7 and not report.dropped


@pytest.mark.parametrize('content, fragment', [
    ('', 'no JSON'),
    ('{"images": [', 'no JSON'),
    ('[' * 100_000, 'no JSON'),
    (b'\xff\xfe\x00', 'no JSON'),
    ('{}', "no lists 'images'"),
    ('3', "no lists 'images'"),
    ('{"images": {}, "annotations": []}', "no lists 'images'"),
    ('[]', 'it is empty'),
    ('{"images": [], "annotations": []}', 'it is empty'),
])
def test_no_annotations(folder, content, fragment):
    path = folder / 'people.json'
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode())
    assert fragment in refusal(folder)


def person(**fields):
    """Change the third annotation, whose id and image are 3."""

    def change(content):
        content['annotations'][2].update(fields)

    return change


def image(**fields):

    def change(content):
        content['images'][2].update(fields)

    return change


def without(kind, field):

    def change(content):
        del content[kind][2][field]

    return change


def keypoint(x, y, visible):
    return person(keypoints=[20, 20, 2] * 16 + [x, y, visible])


PERSON = 'annotation 3 of image 3'
REFUSED = {
    'no id': (without('annotations', 'id'), 'None of image 3'),
    'no image': (without('annotations', 'image_id'), 'annotation 3'),
    'no category': (without('annotations', 'category_id'), PERSON),
    'list as id': (person(id=[3]), 'without id'),
    'no dict': (lambda content: content['annotations'].append(3), 'e.g. 3'),
    'taken id': (person(id=1), 'annotation 1 of image 3'),
    'taken id of an image': (image(id=1), "image 1 ('3.png')"),
    'name as id of an image': (image(id='3'), "image '3' ('3.png')"),
    'no number as area': (person(area={}), PERSON),
    'words of a crowd': (person(iscrowd=1, keypoints=['a'] * 51), PERSON),
    'category': (lambda content: content['categories'].append({}), '{}'),
    'no file': (without('images', 'file_name'), 'image 3 (None)'),
    'no width': (without('images', 'width'), "image 3 ('3.png')"),
    'no height': (image(height=0), "image 3 ('3.png')"),
    'missing image': (image(file_name='x.png'), 'images/x.png'),
    'missing folder': (image(file_name='a/3.png'), 'images/a/3.png'),
    'three numbers of a box': (person(bbox=[1, 2, 3]), PERSON),
    'box of words': (person(bbox=['a', 2, 3, 4]), PERSON),
    'no box': (person(bbox=None), PERSON),
    'box of NaN': (person(bbox=[10, 10, math.nan, 40]), PERSON),
    'endless box': (person(bbox=[10, 10, math.inf, 40]), PERSON),
    'huge box': (person(bbox=[10, 10, 1e39, 40]), PERSON),
    'number beyond all': (person(bbox=[10, 10, 10**400, 40]), PERSON),
    'fewer keypoints': (person(keypoints=[20, 20, 2] * 16), PERSON),
    'more keypoints': (person(keypoints=[20, 20, 2] * 18), PERSON),
    'not in threes': (person(keypoints=[20] * 50), PERSON),
    'no keypoint': (person(keypoints=[]), PERSON),
    'keypoints in pairs of pairs': (person(keypoints=[[20, 20, 2]] * 17),
                                    PERSON),
    'words': (person(keypoints=['a'] * 51), PERSON),
    'null': (keypoint(None, 20, 2), PERSON),
    'NaN': (keypoint(math.nan, 20, 2), PERSON),
    'NaN that is not visible': (keypoint(20, math.nan, 0), PERSON),
    'infinite': (keypoint(20, -math.inf, 2), PERSON),
    'beyond float32': (keypoint(1e39, 20, 2), PERSON),
    'far away': (keypoint(800, 20, 2), PERSON),
    'far to the left': (keypoint(-800, 20, 2), PERSON),
    'negative visibility': (keypoint(20, 20, -1), PERSON),
    'visibility': (keypoint(20, 20, 3), PERSON),
    'NaN as visibility': (keypoint(20, 20, math.nan), PERSON),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused(folder, name):
    change, named = REFUSED[name]
    content = read(folder)
    change(content)
    write(folder, content)
    assert named in refusal(folder)


ACCEPTED = {
    'beyond the border': keypoint(75, -5, 2),
    'far away but not labelled': keypoint(800, 20, 0),
    'a share of visibility': keypoint(20, 20, .5),
    'box beyond the border': person(bbox=[-10, -10, 400, 400]),
    'names as ids': person(id='three'),
}


@pytest.mark.parametrize('name', ACCEPTED)
def test_accepted(folder, name):
    content = read(folder)
    ACCEPTED[name](content)
    write(folder, content)
    assert check(folder).num_kept == 7
    assert num_samples(folder) == 7


def num_samples(folder):
    """How many MMPose trains on."""
    return len(
        CocoDataset(
            ann_file=str(folder / 'people.json'),
            data_prefix=dict(img=str(folder / 'images')),
            pipeline=[]))


DROPPED = {
    'crowd': person(iscrowd=1),
    'nothing labelled': person(num_keypoints=0),
    'all at the origin': person(keypoints=[0, 0, 0] * 17),
    'unknown image': person(image_id=99),
    'no field of boxes': without('annotations', 'bbox'),
    'no field of keypoints': without('annotations', 'keypoints'),
    'flat box': person(bbox=[10, 10, 0, 40]),
    'negative box': person(bbox=[30, 30, 10, -10]),
    'box left of the image': person(bbox=[-30, 10, 20, 20]),
    'box below the image': person(bbox=[10, 70, 20, 20]),
}


@pytest.mark.parametrize('name', DROPPED)
def test_dropped(folder, name):
    """As MMPose does, and with the reason."""
    content = read(folder)
    DROPPED[name](content)
    write(folder, content)
    report = check(folder)
    assert report.num_kept == num_samples(folder) == 6
    finding, = report.dropped
    assert finding.count == 1 and 'annotation 3 ' in finding.example
    assert finding.what in str(report)
    assert '6 instances are used, 1 are left out' in str(report)


def test_nothing_left(folder):
    content = read(folder)
    for annotation in content['annotations']:
        annotation['iscrowd'] = 1
    write(folder, content)
    assert 'no instance can be used: a crowd (iscrowd): 7' in refusal(folder)


def test_several_kinds(folder):
    content = read(folder)
    keypoint(math.nan, 20, 2)(content)
    content['annotations'][4]['keypoints'][0] = math.nan
    content['annotations'][5]['keypoints'][2] = 7
    write(folder, content)
    message = refusal(folder)
    assert 'not finite: 2, e.g. annotation 3' in message
    assert 'visibility outside of 0 to 2: 1, e.g. annotation 6' in message


def test_broken_image(folder):
    (folder / 'images/5.png').write_bytes(b'\x89PNG')
    check(folder)
    assert 'images/5.png' in refusal(folder, opens_images=True)


def test_without_a_folder_of_images(folder):
    """As of datasets that draw them."""
    content = read(folder)
    image(file_name='x.png')(content)
    write(folder, content)
    path = folder / 'people.json'
    assert check_annotation_file(path, FIELD).num_kept == 7


class TestMpii:

    def person(self, **fields):
        return dict(
            image='1.png',
            center=[30, 35],
            scale=.2,
            joints=[[20., 30.]] * 16,
            joints_vis=[1] * 16,
            **fields)

    def test_whole(self, folder):
        write(folder, [self.person()] * 3)
        assert check(folder).num_kept == 3

    @pytest.mark.parametrize('fields', [
        dict(center=[1, 2, 3]), dict(scale=0), dict(scale=math.nan),
        dict(joints=[[20., 30.]] * 15), dict(joints=[[math.nan, 3]] * 16),
        dict(joints_vis=[-1] * 16), dict(joints_vis=None),
        dict(image='x.png'), dict(image=3), dict(joints=[]),
        dict(joints=[[20., 30.]] * 14, joints_vis=[1] * 14)
    ], ids=repr)  # yapf: disable
    def test_refused(self, folder, fields):
        whole = self.person()
        write(folder, [whole, {**whole, **fields}, whole])
        message = refusal(folder)
        assert 'number 1' in message or 'x.png' in message

    def test_missing_field(self, folder):
        for field in self.person():
            broken = self.person()
            del broken[field]
            write(folder, [self.person(), broken])
            assert 'number 1' in refusal(folder)


@pytest.mark.parametrize('annotations, images', [
    ('coco_mini/annotations/person_keypoints_train2017.json', 'train2017'),
    ('coco_mini/annotations/person_keypoints_val2017.json', 'val2017'),
    ('faces68/annotations/val.json', 'images'),
    ('mpii_sample/annotations/mpii_sample.json', 'images'),
])
def test_published_annotations(annotations, images):
    """None of them is refused."""
    name, _, rest = annotations.partition('/')
    root = shared_data(name)
    report = check_annotation_file(root / rest, FIELD, str(root / images))
    if name == 'coco_mini':
        expected = len(
            CocoDataset(
                ann_file=str(root / rest),
                data_prefix=dict(img=''),
                pipeline=[]))
        assert report.num_kept == expected
