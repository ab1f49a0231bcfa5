"""The error of a user's input, told in one line."""


class ConfigError(ValueError):
    """A config, data or checkpoint that cannot be used as it stands.

    The tools print it as one line and exit with code 2.

    Args:
        field (str): What is wrong, as the user wrote it, e.g.
            ``custom_hooks.FederatedHook.clients[1].input_size``.
        problem (str): What is the matter with it, with the value found.
        fix (str): What to write instead.
    """

    def __init__(self, field: str, problem: str, fix: str):
        super().__init__(f'{field}: {problem}; {fix}')
        self.field = field
