"""A part that cannot be built says where in its config, in one line."""

from typing import List, Optional, Sequence, Tuple, Union

import pytest
from mmengine.config import ConfigDict
from mmengine.registry import Registry
from mmpose.registry import TRANSFORMS
from torch import nn

from mmpose_raf.building import build, check_signature, explaining
from mmpose_raf.errors import ConfigError

PARTS = Registry('part')


@PARTS.register_module()
class Leaf:
    """Checks its argument as constructors do."""

    def __init__(self, size: int = 1, name: Optional[str] = None):
        if size < 1:
            raise ValueError(f'size must be >= 1,\nbut got {size}')
        assert size != 13, 'no luck'
        if size == 14:
            raise ConfigError('leaf', 'got 14', 'give another')
        if size == 15:
            raise OSError('no disk')
        self.size = size


@PARTS.register_module()
class Tree:

    def __init__(self, leaf, leaves: Sequence[dict] = (), width: float = 1.):
        self.leaf = PARTS.build(leaf)
        self.leaves = [PARTS.build(item) for item in leaves]


@PARTS.register_module()
class WideTree(Tree):
    """Passes on what it does not know."""

    def __init__(self, *args, depth: int = 1, **kwargs):
        super().__init__(*args, **kwargs)


def leaf(**arguments):
    return dict(type='Leaf', **arguments)


def tree(**arguments):
    return dict(type='Tree', **{'leaf': leaf(), **arguments})


def refusal(config, **arguments):
    with pytest.raises(ConfigError) as error:
        build(PARTS, config, 'part', **arguments)
    assert '\n' not in str(error.value)
    return error.value


def test_whole():
    for cls in (dict, ConfigDict):
        built = build(PARTS, cls(tree(leaves=[leaf(size=3), leaf()])), 'part')
        assert built.leaves[0].size == 3
    assert build(PARTS, dict(type=Leaf), 'part').size == 1
    assert build(PARTS, dict(type='Leaf'), 'part', size=7).size == 7


@pytest.mark.parametrize('config, field, fragment', [
    (None, 'part', 'Foreign, Leaf, Own'),
    (3, 'part', 'got 3'),
    ('Leaf', 'part', "got 'Leaf'"),
    ({}, 'part', 'Leaf'),
    (dict(size=1), 'part', 'Leaf'),
    (dict(type='Leave'), 'part', 'Leaf'),
    (dict(type=3), 'part', 'Leaf'),
    (leaf(width=3), 'part.width', 'no such argument'),
    (dict(type='Tree'), 'part', "Tree needs 'leaf'"),
    (leaf(size=-1), 'part.size', 'size must be >= 1, but got -1'),
    (leaf(size=13), 'part', 'no luck'),
    (leaf(size=14), 'leaf', 'got 14'),
    # In parts of a part.
    (tree(leaf=leaf(size=0)), 'part.leaf.size', 'must be'),
    (tree(leaf=leaf(color=0)), 'part.leaf.color', 'no such argument'),
    (tree(leaf=dict(type='Flower')), 'part.leaf.type', 'Flower'),
    (tree(leaf=5), 'part.leaf', 'got 5'),
    (tree(leaf=dict(size=2)), 'part.leaf', 'with a type'),
    (tree(leaves=[leaf(), leaf(size=0)]), 'part.leaves[1].size', 'must be'),
    (tree(leaves=[tree(leaf=leaf(x=1))]), 'part.leaves[0].leaf.x', 'such'),
])
def test_refused(config, field, fragment):
    error = refusal(config)
    assert error.field == field
    assert fragment in str(error)


def test_the_constructors_error_is_the_cause():
    assert isinstance(refusal(leaf(size=-1)).__cause__, ValueError)
    assert isinstance(refusal(leaf(size=13)).__cause__, AssertionError)


def test_other_errors_stay():
    """Such as of files and devices."""
    with pytest.raises(OSError, match='no disk'):
        build(PARTS, leaf(size=15), 'part')


def test_config_is_not_changed():
    config = tree(leaves=[leaf(size=3)])
    build(PARTS, config, 'part', width=3.)
    assert config == tree(leaves=[leaf(size=3)])


# -- Types -------------------------------------------------------------------


class _Typed(nn.Module):

    def __init__(self,
                 whole: int = 1,
                 number: float = 1.,
                 flag: bool = False,
                 text: str = '',
                 size: Tuple[int, int] = (1, 1),
                 many: Union[int, List[int]] = 1,
                 maybe: Optional[float] = None,
                 implied: int = None,
                 free=None,
                 options: Optional[dict] = None):
        super().__init__()


@PARTS.register_module()
class Own(_Typed):
    """Of a module of this project."""


@PARTS.register_module()
class Foreign(_Typed):
    """Of another library."""


Own.__module__ = 'mmpose_raf.own'
Foreign.__module__ = 'other'

RIGHT = [
    dict(whole=3),
    dict(number=3),
    dict(number=3.5),
    dict(flag=True),
    dict(text='a'),
    dict(size=(3, 4)),
    dict(size=[3, 4]),
    dict(many=3),
    dict(many=[3, 4, 5]),
    dict(many=(3, )),
    dict(maybe=None),
    dict(maybe=3),
    dict(implied=None),
    dict(free='anything'),
    dict(free=[object]),
    dict(options={}),
    dict(options=ConfigDict(a=1)),
    dict(whole=Ellipsis),  # what no config file holds
]
WRONG = [
    dict(whole='3'),
    dict(whole=[3]),
    dict(whole=dict(a=3)),
    dict(number='3'),
    dict(number=[3.]),
    dict(flag='yes'),
    dict(flag=1.5),
    dict(text=3),
    dict(text=['a']),
    dict(size=3),
    dict(size=(3, )),
    dict(size=(3, 4, 5)),
    dict(size=('a', 'b')),
    dict(many='a'),
    dict(many=['a']),
    dict(maybe='a'),
    dict(implied='a'),
    dict(options=3),
]
# Where other libraries are not as strict.
LOOSE = [
    dict(whole=True),
    dict(whole=3.),
    dict(number=True),
    dict(flag=1),
    dict(size=(3., 4)),
    dict(whole=None),
    dict(many=[None]),
]


@pytest.mark.parametrize('arguments', RIGHT, ids=str)
def test_right_types(arguments):
    for name in ('Own', 'Foreign'):
        build(PARTS, dict(type=name, **arguments), 'part')


@pytest.mark.parametrize('arguments', WRONG, ids=str)
def test_wrong_types(arguments):
    name, = arguments
    for kind in ('Own', 'Foreign'):
        error = refusal(tree(leaf=dict(type=kind, **arguments)))
        assert error.field == f'part.leaf.{name}'
        assert f'got {arguments[name]!r}' in str(error)


@pytest.mark.parametrize('arguments', LOOSE, ids=str)
def test_types_of_other_libraries(arguments):
    build(PARTS, dict(type='Foreign', **arguments), 'part')
    name, = arguments
    assert refusal(dict(type='Own', **arguments)).field == f'part.{name}'


def test_types_of_a_base_class():
    assert refusal(dict(type='WideTree', leaf=leaf(),
                        width='a')).field == 'part.width'
    assert refusal(dict(type='WideTree', leaf=leaf(),
                        depth='a')).field == 'part.depth'
    build(PARTS, dict(type='WideTree', leaf=leaf(), width=2, depth=2), 'part')


# -- Signatures --------------------------------------------------------------


@PARTS.register_module()
class Bag:
    """Takes anything."""

    def __init__(self, size: int, **kwargs):
        pass


@pytest.mark.parametrize('config, field', [
    (dict(type='Tre'), 'part'),
    (dict(type='Tree'), 'part'),
    (tree(x=1), 'part.x'),
    (tree(width='a'), 'part.width'),
    (tree(leaf=dict(type='Leaf', size='a')), 'part.leaf.size'),
    (dict(type='WideTree', leaf=1, x=1), 'part.x'),
    (dict(type='WideTree', leaf=1, depth='a'), 'part.depth'),
    (dict(type='Bag', size='a'), 'part.size'),
])
def test_signature(config, field):
    with pytest.raises(ConfigError) as error:
        check_signature(PARTS, config, 'part')
    assert error.value.field == field


def test_right_signatures():
    check_signature(PARTS, dict(type='Tree'), 'part', 'leaf')
    check_signature(PARTS, dict(type='WideTree', leaf=1, width=2), 'part')
    check_signature(PARTS, dict(type='Bag', size=1, more=2), 'part')


def test_arguments_that_are_added_on_the_way():
    """An optimizer's config gets its parameters."""
    config = tree(leaf=leaf(size=0))
    with pytest.raises(ConfigError) as error, \
            explaining(dict(wrapper=config), 'field'):
        PARTS.build(config, default_args=dict(width=3.))
    assert error.value.field == 'field.wrapper.leaf.size'


OTHERS = Registry('other')


@OTHERS.register_module()
class NeedsPackage:
    """A part whose package is missing."""

    def __init__(self, error):
        raise error


@pytest.mark.parametrize('error, told', [
    (ImportError('ops.nms needs the full mmcv; pip install mmcv'),
     'part: ops.nms needs the full mmcv; pip install mmcv'),
    (RuntimeError('albumentations is not installed'),
     'part: NeedsPackage needs albumentations, which is not installed; pip '
     'install albumentations'),
])
def test_missing_packages(error, told):
    with pytest.raises(ConfigError) as raised:
        build(OTHERS, dict(type='NeedsPackage', error=error), 'part')
    assert str(raised.value) == told


@pytest.mark.parametrize('mapping, problem', [
    ([(0, 1), ((1, 2), 0)], None),
    ([(0, 1), ('1', 0)], 'mapping'),
    ([], None),
])
def test_lists_of_other_libraries_may_be_mixed(mapping, problem):
    part = dict(type='KeypointConverter', num_keypoints=2, mapping=mapping)
    if problem is None:
        check_signature(TRANSFORMS, part, 'pipeline[0]')
        assert TRANSFORMS.build(part).num_keypoints == 2
    else:
        with pytest.raises(ConfigError, match=problem):
            check_signature(TRANSFORMS, part, 'pipeline[0]')
