"""The small world that evaluations are tested in."""

from tests.evaluation.conftest import checkpoints, test_problems

__all__ = ["checkpoints", "test_problems"]
