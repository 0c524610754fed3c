"""The libraries that compute, imported at once."""

from __future__ import annotations

from importlib import import_module


def import_libraries() -> None:
    """Imports what computes before any artifact starts, so that importing counts in no artifact's seconds."""
    import transformers

    for library in ("torch", "trl"):
        import_module(library)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
