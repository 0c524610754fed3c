"""What the results of experiments take (`o1 plan`). Arms that are stages are estimated as these stages are."""

from __future__ import annotations

from typing import Any

from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext


def estimate_tables(context: EstimateContext, config: Any) -> Estimate:
    """A result that reads tables and opens no model: charts and a document."""
    return Estimate(stored=4 * CHART + 4 * TABLES)
