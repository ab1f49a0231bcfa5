"""The federation's messages as Flower's records, and back.

What comes in is checked: the other side may be broken or hostile.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

from flwr.app import ArrayRecord, ConfigRecord, MetricRecord, RecordDict

from mmpose_raf.federation import ClientUpdate, TrainRequest
from mmpose_raf.federation.state_math import State
from .tensors import MessageError, pack_state, unpack_state

_RUN = re.compile('[0-9a-f]{32}')
# Of metrics, which come to stand in a log.
_MAX_METRICS, _LONGEST_NAME = 1000, 100
# More samples than this nobody has; weights by samples stay finite.
_MAX_SAMPLES = 10**12


@dataclass(frozen=True)
class Terms:
    """What the server says about the run with everything that it asks.

    Args:
        run (str): Name of the run, 32 hexadecimal digits, the same after it
            was resumed.
        training (str): What is trained, see :func:`describe_training`.
    """

    run: str
    training: str


def pack_terms(terms: Terms) -> RecordDict:
    """The records that begin each of the server's messages."""
    return RecordDict(
        {'terms': ConfigRecord(dict(run=terms.run, training=terms.training))})


def unpack_terms(content: RecordDict) -> Terms:
    """Read what :func:`pack_terms` wrote.

    Raises:
        MessageError: If it is not there.
    """
    values = _config(content, 'terms')
    run = _value(values, 'run', str)
    if not _RUN.fullmatch(run):
        raise MessageError('the name of the run is not 32 hexadecimal digits')
    return Terms(run, _value(values, 'training', str))


def pack_request(terms: Terms, request: TrainRequest,
                 taken: int) -> RecordDict:
    """What the server sends to a client that shall train.

    Args:
        terms (Terms): Those of the run.
        request (TrainRequest): What it is asked for.
        taken (int): Number of the client's last training whose update the
            server has taken; -1 if there is none.
    """
    content = pack_terms(terms)
    content['request'] = ConfigRecord(
        dict(
            client=request.client,
            number=request.number,
            round=request.round,
            version=request.version,
            taken=taken))
    content['state'] = pack_state(request.state)
    content['download'] = pack_state(request.download)
    return content


def unpack_request(content: RecordDict) -> Tuple[TrainRequest, int]:
    """Read what :func:`pack_request` wrote.

    Raises:
        MessageError: If it is not there.
    """
    values = _config(content, 'request')
    number, round_, version, taken = (
        _value(values, name, int)
        for name in ('number', 'round', 'version', 'taken'))
    if min(number, round_, version, taken + 1) < 0:
        raise MessageError('a number of the request is negative')
    return TrainRequest(
        _value(values, 'client', str), number, round_, version,
        unpack_state(_arrays(content, 'state')),
        unpack_state(_arrays(content, 'download'))), taken


def pack_weights(terms: Terms, state: State, taken: int) -> RecordDict:
    """What the server sends to a client that shall evaluate.

    Args:
        terms (Terms): Those of the run.
        state (dict[str, Tensor]): The global weights.
        taken (int): See :func:`pack_request`.
    """
    content = pack_terms(terms)
    content['request'] = ConfigRecord(dict(taken=taken))
    content['state'] = pack_state(state)
    return content


def unpack_weights(content: RecordDict) -> Tuple[State, int]:
    """Read what :func:`pack_weights` wrote.

    Raises:
        MessageError: If it is not there.
    """
    return (unpack_state(_arrays(content, 'state')),
            _value(_config(content, 'request'), 'taken', int))


def pack_update(update: ClientUpdate) -> RecordDict:
    """What a client sends after its training."""
    return RecordDict({
        'update':
        ConfigRecord(
            dict(
                client=update.client,
                version=update.version,
                num_samples=update.num_samples)),
        'metrics':
        MetricRecord(
            {name: float(value)
             for name, value in update.metrics.items()}),
        'distributions':
        MetricRecord(
            {name: list(map(float, row))
             for name, row in update.distributions.items()}),
        'state':
        pack_state(update.state),
        'upload':
        pack_state(update.upload)
    })


@dataclass(frozen=True)
class Expected:
    """What a server knows of every update before it comes.

    Args:
        parameters (list[str]): See :class:`ClientUpdate`.
        shares (dict[str, int]): Names and lengths of its distributions.
    """

    parameters: List[str]
    shares: Dict[str, int]


def unpack_update(content: RecordDict, request: TrainRequest,
                  expected: Expected) -> ClientUpdate:
    """Read what :func:`pack_update` wrote.

    Names, shapes and values of the weights are the server's to judge, see
    :func:`mmpose_raf.federation.find_fault`.

    Args:
        content (RecordDict): What a client has sent; it is not trusted.
        request (TrainRequest): What it was asked for.
        expected (Expected): What the server knows already.

    Raises:
        MessageError: If it is not an answer to that.
    """
    raise_refusal(content)
    values = _config(content, 'update')
    client = _value(values, 'client', str)
    if client != request.client:
        raise MessageError(f'it answers as {client!r}')
    num_samples = _value(values, 'num_samples', int)
    if not 0 < num_samples <= _MAX_SAMPLES:
        raise MessageError(f'it claims {num_samples} samples')
    state = unpack_state(_arrays(content, 'state'))
    return ClientUpdate(
        client,
        # In the order of what was sent, which records may not keep.
        {name: state[name]
         for name in [*request.state, *state] if name in state},
        num_samples,
        metrics=_numbers(content),
        parameters=expected.parameters,
        distributions=_shares(content, expected.shares),
        upload=unpack_state(_arrays(content, 'upload')),
        version=_value(values, 'version', int))


def pack_metrics(metrics: Dict[str, float], num_samples: int) -> RecordDict:
    """What a client sends after its evaluation."""
    return RecordDict({
        'metrics':
        MetricRecord({name: float(value)
                      for name, value in metrics.items()}),
        'evaluation':
        ConfigRecord(dict(num_samples=num_samples))
    })


def unpack_evaluation(content: RecordDict) -> Tuple[Dict[str, float], int]:
    """Read what :func:`pack_metrics` wrote.

    Raises:
        MessageError: If it is not there.
    """
    raise_refusal(content)
    num_samples = _value(_config(content, 'evaluation'), 'num_samples', int)
    if not 0 < num_samples <= _MAX_SAMPLES:
        raise MessageError(f'it claims {num_samples} samples')
    return _numbers(content), num_samples


def pack_name(client: str) -> RecordDict:
    """What a client sends when it introduces itself."""
    return RecordDict({'client': ConfigRecord(dict(name=client))})


def unpack_name(content: RecordDict) -> str:
    """Read what :func:`pack_name` wrote.

    Raises:
        MessageError: If it is not there.
    """
    raise_refusal(content)
    return _value(_config(content, 'client'), 'name', str)


def pack_refusal(reason: str) -> RecordDict:
    """What a client sends if it cannot do what it was asked for."""
    return RecordDict({'refusal': ConfigRecord(dict(reason=reason))})


def raise_refusal(content: RecordDict):
    """Raise what a client says it cannot do, if it says so.

    Raises:
        MessageError: With the client's words, in one line.
    """
    if 'refusal' in content:
        reason = _value(_config(content, 'refusal'), 'reason', str)
        raise MessageError(' '.join(reason.split())[:500])


def _numbers(content: RecordDict) -> Dict[str, float]:
    metrics = dict(_metrics(content, 'metrics'))
    if len(metrics) > _MAX_METRICS:
        raise MessageError(f'it tells {len(metrics)} metrics')
    for key, value in metrics.items():
        if not key.isprintable() or len(key) > _LONGEST_NAME:
            raise MessageError('the name of a metric is too long or not to '
                               'be printed')
        if isinstance(value, list) or not math.isfinite(value):
            raise MessageError(f'its {key} is {value}')
    return metrics


def _shares(content: RecordDict,
            lengths: Dict[str, int]) -> Dict[str, List[float]]:
    rows = dict(_metrics(content, 'distributions'))
    if rows.keys() != lengths.keys():
        raise MessageError(f'it tells its distributions by {sorted(rows)}')
    for name, row in rows.items():
        if not isinstance(row, list) or len(row) != lengths[name]:
            raise MessageError(f'it has not {lengths[name]} shares of each '
                               f'{name}')
        if not all(0 <= share <= 1
                   for share in row) or abs(sum(row) - 1) > 1e-6:
            raise MessageError(f'its shares of each {name} do not add up to '
                               '1')
    return rows


def _record(content: RecordDict, name: str, kind: type) -> Any:
    record = content.get(name)
    if not isinstance(record, kind):
        raise MessageError(f'the message has no {name}')
    return record


def _config(content: RecordDict, name: str) -> ConfigRecord:
    return _record(content, name, ConfigRecord)


def _metrics(content: RecordDict, name: str) -> MetricRecord:
    return _record(content, name, MetricRecord)


def _arrays(content: RecordDict, name: str) -> ArrayRecord:
    return _record(content, name, ArrayRecord)


def _value(record: ConfigRecord, name: str, kind: type) -> Any:
    value = record.get(name)
    if type(value) is not kind:
        raise MessageError(f'{name} is missing or no {kind.__name__}')
    return value
