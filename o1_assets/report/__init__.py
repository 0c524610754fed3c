"""One self-contained HTML page that tells what the graph achieved, why to believe it, and what it cost."""

from o1_assets.report.render import ReportData, render

__all__ = ["ReportData", "render"]
