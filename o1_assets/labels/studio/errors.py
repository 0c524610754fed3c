"""Apart from the client, so that a command that prints errors does not import an HTTP library."""


class LabelStudioError(Exception):
    """What is wrong with the server, its address or the token, in one sentence."""
