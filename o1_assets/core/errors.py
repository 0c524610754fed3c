"""The base class of every error that a user, a machine or a file can cause."""

from __future__ import annotations


class O1Error(Exception):
    """An expected error. Its message is one sentence that names the input and the remedy.

    A command prints the message and exits with code 1. Any other exception is a defect of this project, and keeps
    its traceback.
    """
