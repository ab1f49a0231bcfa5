"""Ends a run that has stopped to train."""

from typing import Dict

from mmpose_raf.errors import TrainingError
from mmpose_raf.federation import RoundReport


class TrainingWatch:
    """Looks at each round, and ends a run whose updates are not used.

    Args:
        max_refusals (int): After how many rounds running, of those it takes
            part in, in which a client was refused.

    Attributes:
        num_refusals (dict[str, int]): In how many they have been, by client.
        has_trained (bool): Whether any round has made other global weights,
            also before the run was resumed.
    """

    def __init__(self, max_refusals: int):
        self.max_refusals = max_refusals
        self.num_refusals: Dict[str, int] = {}
        self.has_trained = False

    def end_round(self, report: RoundReport, round_: int):
        """Look at a round that is over.

        Args:
            report (RoundReport): What happened.
            round_ (int): The round, counted from 1.

        Raises:
            TrainingError: If all updates were refused, or those of a client
                once too often.
        """
        refused = report.refused
        if refused and not report.updates:
            name, reason = next(iter(refused.items()))
            raise TrainingError(
                f'round {round_}: every update was refused, as that of client '
                f'{name}: {reason}; mend the settings of training or the data')
        for update in report.updates:
            self.num_refusals.pop(update.client, None)
        for name, reason in refused.items():
            number = self.num_refusals.get(name, 0) + 1
            self.num_refusals[name] = number
            if number == self.max_refusals:
                raise TrainingError(
                    f'round {round_}: client {name} was refused {number} '
                    f'rounds running: {reason}; mend its data, leave it out '
                    'or raise federation.max_refusals')
        if report.updates and report.too_few is None:
            self.has_trained = True

    def end_training(self):
        """Look at a run that is over.

        Raises:
            TrainingError: If no round has made other global weights.
        """
        if not self.has_trained:
            raise TrainingError(
                'no round had enough updates: the weights are the first ones; '
                'mend federation.participation')
