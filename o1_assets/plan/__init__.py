"""Plans what a profile will cost before any of it is spent: tokens, FLOPs, hours, labels, disk. No model is opened.

Each stage declares its own estimate (`core/estimate.py`). This package walks the graph, makes the assumptions that no
configuration states, knows the speed of machines, and compares a plan with what a run took.
"""

from o1_assets.core.errors import O1Error


class PlanError(O1Error):
    """Something cannot be planned; the message says what, and what to give instead."""
