"""How straight accuracy is against log2 of test-time compute before it saturates, over how many decades."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.registry import Figure

NAME = "test_time_r2"


LINES = {
    ("baby-o1", "compute-optimal"): NAME,
    ("baby-o1", "best-of-n"): f"{NAME}_best_of_n",
    ("GPT*", "compute-optimal"): f"{NAME}_gpt",
    ("GPT*", "best-of-n"): f"{NAME}_gpt_best_of_n",
}


def compare() -> Mapping[str, Figure]:
    from benchmarks.thinking import thinking_tables

    [fits] = thinking_tables("fits")
    rows = [row for row in fits.to_dicts() if row.get("difficulty", "all") == "all"]
    lines = {(row["model"], row["strategy"]): row for row in rows}
    figures = {}
    for key, name in LINES.items():
        if key in lines:
            row = lines[key]
            low = row.get("r2_low", row["r2"])
            against = (
                f"at least 0.95 over 2 decades; {', '.join(key)}; {row['decades']:.2f} decades, {row['points']} "
                f"points, {row['gain']:+.3f} a doubling ({row['gain_low']:+.3f} to {row['gain_high']:+.3f})"
            )
            figures[name] = Figure(row["r2"], row["r2"] - low, "R2", against)
    if not figures:
        raise SystemExit(
            "eval/thinking has no line through baby-o1's or GPT*'s accuracy; make it at full size"
        )
    return figures
