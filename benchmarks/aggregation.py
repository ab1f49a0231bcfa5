"""The server's work on the clients' weights, beside plain copying.

Rates count every client's weights read once and the result written once,
whatever a rule does beyond: a rule that ran at the rate of a copy (read once,
written once) could not be faster. The alternative is the mean written key by
key in Python.

    python -m benchmarks.aggregation
    python -m benchmarks.aggregation --device cuda --arch small base \
        --clients 3 30
"""

import sys
from functools import partial
from typing import Callable, Dict, List

import torch

from benchmarks.baseline.federation import average_by_key
from benchmarks.measuring import (Row, alternate, find_device, make_parser,
                                  note_of, run_benchmark)
from benchmarks.subjects import ARCHS, build_model, read_config
from mmpose_raf.federation import ClientUpdate, aggregators, is_finite
from mmpose_raf.federation.state_math import (State, average_states,
                                              clone_state, compare_updates,
                                              copy_state, state_bytes)


def parse_args(args=None):
    """Options of the command line."""
    parser = make_parser(__doc__, repeats=5)
    parser.add_argument('--arch', nargs='+', choices=ARCHS, default=['small'])
    parser.add_argument('--clients', nargs='+', type=int, default=[3, 10])
    return parser.parse_args(args)


def make_updates(arch: str, num_clients: int, device: torch.device) -> tuple:
    """Global weights of a model and updates near them."""
    model = build_model(read_config(arch), device)
    names = [name for name, _ in model.named_parameters()]
    reference = clone_state(model.state_dict(), device)
    updates = []
    for index in range(num_clients):
        state = {
            key: value + 1e-3 *
            torch.randn_like(value) if value.is_floating_point() else value
            for key, value in reference.items()
        }
        updates.append(
            ClientUpdate(f'client{index}', state, 1, parameters=names))
    return reference, updates


def list_rules(num_clients: int) -> Dict[str, aggregators.Aggregator]:
    """All aggregators that serve so many clients."""
    rules = dict(
        FedAvg=aggregators.FedAvg(),
        FedAvgM=aggregators.FedAvgM(),
        FedAdam=aggregators.FedAdam(),
        FedYogi=aggregators.FedYogi(),
        FedAdagrad=aggregators.FedAdagrad(),
        CoordinateMedian=aggregators.CoordinateMedian(),
        NormClipping=aggregators.NormClipping(1.))
    if num_clients > 2:
        rules['TrimmedMean'] = aggregators.TrimmedMean()
    if num_clients >= 5:
        rules['Krum'] = aggregators.Krum()
        rules['MultiKrum'] = aggregators.MultiKrum()
    return rules


def measure(options) -> List[Row]:
    """All rows of the benchmark."""
    device = find_device(options.device)
    return [
        row for arch in options.arch for count in options.clients
        for row in measure_rules(arch, count, device, options.repeats)
    ]


def measure_rules(arch: str, count: int, device: torch.device,
                  repeats: int) -> List[Row]:
    """Rows of one model and number of clients."""
    reference, updates = make_updates(arch, count, device)
    states = [update.state for update in updates]
    shares = [1 / count] * count
    _check_equal(average_states(states, shares),
                 average_by_key(states, shares))
    size = state_bytes(reference)
    copied = torch.empty(size // 4, device=device)
    target = clone_state(reference, device)

    # What is run, and how many times the weights' bytes it has to touch.
    work = {
        'torch copy_': (partial(copied.copy_, torch.ones_like(copied)), 2),
        'mean key by key': (partial(average_by_key, states, shares),
                            count + 1)
    }
    for name, rule in list_rules(count).items():
        work[name] = (partial(rule.aggregate, reference, updates), count + 1)
    keys = updates[0].parameter_names
    work['compare_updates'] = (partial(compare_updates, reference, states,
                                       keys), count + 1)
    work['is_finite of all'] = (_look_at(updates), count)
    work['clone_state to cpu'] = (partial(clone_state, reference,
                                          torch.device('cpu')), 2)
    work['copy_state'] = (partial(copy_state, reference, target), 2)

    timings = alternate({name: run
                         for name, (run, _) in work.items()}, device, repeats)
    rows = []
    for name, (_, passes) in work.items():
        timing = timings[name]
        label = f'{arch}, {count} clients, {name}'
        rows.append(Row(f'{label}, time', 1e3 * timing.seconds, 'ms',
                        note_of(timing)))
        rows.append(Row(f'{label}, rate',
                        passes * size / timing.seconds / 1e9, 'GB/s'))
    return rows


def _look_at(updates: List[ClientUpdate]) -> Callable[[], bool]:
    return lambda: all(is_finite(update.state) for update in updates)


def _check_equal(first: State, second: State):
    for key, value in first.items():
        torch.testing.assert_close(value, second[key])


if __name__ == '__main__':
    sys.exit(run_benchmark(parse_args, measure))
