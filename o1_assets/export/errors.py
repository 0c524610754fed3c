"""What can be wrong with what is to be exported, or with where."""


class ExportError(Exception):
    """Says in one sentence what is wrong and what to do."""
