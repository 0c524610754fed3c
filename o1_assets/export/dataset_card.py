"""The card of a data set of labels: what it holds, who rated, how, by which licence, and from which versions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from o1_assets.export.labelled_solutions import LabelledRound

TEMPLATE = Path(__file__).with_name("dataset_card.md.j2")

# Of problems, by the beginning of their `source`: the licence as the Hub names it, and whose they are.
LICENCES = {
    "reasoning_gym": ("apache-2.0", "drawn by reasoning_gym"),
    "world": ("apache-2.0", "drawn by o1-assets"),
    "gsm8k": ("mit", "GSM8K (Cobbe et al. 2021)"),
    "svamp": ("mit", "SVAMP (Patel et al. 2021)"),
    "mawps_asdiv": ("mit", "MAWPS and ASDiv-A, as published beside SVAMP (Patel et al. 2021)"),
    "math": ("mit", "MATH (Hendrycks et al. 2021)"),
    "prm800k": ("mit", "MATH with PRM800K's labels (Lightman et al. 2023)"),
    "processbench": ("apache-2.0", "ProcessBench (arXiv:2412.06559)"),
}
UNKNOWN = ("unknown", "not known here: whoever publishes this has to state it")

FEATURES = {
    "trl": "TRL's stepwise supervision: `prompt`, `completions` and `labels` (false: wrong; a neutral step is true). "
    "`ratings` has +1, 0 and -1, and null for a step that a labeller wrote; `alternative` says that the last "
    "completion is not the solution's own step; the other columns say where a row is from.",
    "prm800k": "One record a solution, with the fields of PRM800K's published files; alternatives stand beside the "
    "step that was continued from.",
    "processbench": "`label` is the number of the first wrong step, from 0, or -1 if none is wrong.",
}
FILES = {
    "trl": "data/train-00000-of-00001.parquet",
    "prm800k": "data/train.jsonl",
    "processbench": "data/train.jsonl",
}


def make_card(
    profile: str,
    rounds: Sequence[LabelledRound],
    name: str,
    rows: int,
    left_out: int,
    counts: Mapping[str, int],
) -> str:
    """name: of the format. left_out: solutions that it cannot hold."""
    from huggingface_hub import DatasetCard, DatasetCardData
    from jinja2 import Environment, StrictUndefined

    sources = sorted(
        {problem["source"].split("/")[0] for each in rounds for problem in each.problems.values()}
    )
    licences = [(source, *LICENCES.get(source, UNKNOWN)) for source in sources]
    known = {licence for _, licence, _ in licences}
    header = DatasetCardData(
        language="en",
        license=known.pop() if len(known) == 1 and "unknown" not in known else "other",
        task_categories=["token-classification"],
        tags=["o1-assets", "process-supervision", *(["trl"] if name == "trl" else [])],
        configs=[{"config_name": "default", "data_files": [{"split": "train", "path": FILES[name]}]}],
    )
    text = (
        Environment(undefined=StrictUndefined, keep_trailing_newline=True)
        .from_string(TEMPLATE.read_text())
        .render(
            card_data=header.to_yaml(),
            profile=profile,
            features=FEATURES[name],
            rows=rows,
            left_out=left_out,
            counts=counts,
            licences=licences,
            rounds=[dict(_round_row(each)) for each in rounds],
            raters=[row for each in rounds for row in _rater_rows(each)],
            lineage=[made for each in rounds for made in (each.labels, each.batches, each.selection)],
        )
    )
    # Reads the header back: what is no valid YAML fails here, and not on the Hub.
    return str(DatasetCard(text))


def _round_row(labelled: LabelledRound) -> Iterator[tuple[str, Any]]:
    figures = labelled.labels.figures
    policy = labelled.selection.inputs.get("policy")
    yield "name", labelled.name
    yield "protocol", labelled.labels.config.get("protocol", "")
    yield "sampled", policy.key if policy else labelled.selection.config.get("source", "")
    for name in ("solutions", "labels", "positive", "neutral", "negative"):
        yield name, figures.get(name, "")
    agreement = figures.get("judge_gold_agreement") or figures.get("agreement_after")
    yield "agreement", "" if agreement is None else f"{float(agreement):.0%}"


def _rater_rows(labelled: LabelledRound) -> Iterator[dict[str, Any]]:
    counted = labelled.table.filter(pl.col("rating").is_not_null()).group_by("labeler").len().sort("labeler")
    for labeler, count in counted.iter_rows():
        figures = labelled.batches.figures
        yield {
            "round": labelled.name, "who": labelled.names[labeler], "ratings": count,
            "annotator": figures.get("annotator", ""), "judge": figures.get("judge", ""),
        }  # fmt: skip
