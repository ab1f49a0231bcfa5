"""The error of what a federation is given."""


class FederationError(ValueError):
    """Arguments or updates that an algorithm cannot work with.

    The message names the argument or the client and is written for users;
    any other error is a bug and keeps its traceback.
    """
