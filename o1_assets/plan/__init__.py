"""What a profile will cost before any of it is spent: tokens, FLOPs, hours, labels, disk. No model is opened.

What a stage takes is said by the stage itself (`core/estimate.py`); here are the walk over the graph, what is assumed
where no configuration says it, the speed of machines, and the comparison with what a run took.
"""

from o1_assets.core.errors import O1Error


class PlanError(O1Error):
    """Says in one sentence what cannot be planned and what to give instead."""
