"""What can be wrong with what is to be exported, or with where."""

from o1_assets.core.errors import O1Error


class ExportError(O1Error):
    """Says in one sentence what is wrong and what to do."""
