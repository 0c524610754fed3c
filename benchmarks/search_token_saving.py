"""Tokens of best-of-64 against those at which the best tree search is as accurate: same model, held-out problems."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.registry import Figure

NAME = "search_token_saving"


MODELS = {"baby-o1": NAME, "GPT*": f"{NAME}_gpt"}


def compare() -> Mapping[str, Figure]:
    from benchmarks.thinking import saving, thinking_tables

    [points] = thinking_tables("points")
    figures = {}
    for model, name in MODELS.items():
        found = saving(points, model)
        if found is None:
            print(f"  {model}: no tree search reached the accuracy of best-of-64 within its largest budget")
            continue
        against = f"at least 4; {model}, {found.strategy}; 95% interval {found.low:.2f} to {found.high:.2f}"
        figures[name] = Figure(found.times, found.high - found.low, "times", against)
    if not figures:
        raise SystemExit(
            "no tree search of eval/thinking is as accurate as best-of-64; raise thinking.tree_tokens"
        )
    return figures
