"""docs/peers.md: what else does the same and how long it takes, in one table made of results.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

HEAD = """\
# Beside other tools

Written by `make bench` from [benchmarks/results.json](../benchmarks/results.json): change nothing here by hand.

Each row is one run in which ours and the other tool do the same in turn, five times and more, on the same two cores, \
models and data. The other tool is tried in several settings and counts in its fastest. The ratio is the median over \
the repetitions of theirs by ours, and after ± is the distance from the smallest to the largest of them: above 1 ours \
is faster. The target is what the ratio was meant to reach. How each tool is fed stands at the head of the benchmark's \
file. A ratio without the two figures beside it is from before these were recorded.
"""

CONDITIONS = """\
## How it was measured

Searches are compared by the time of a generated token, at the share of problems that each solves \
(right; a difference is ours minus theirs, with its 95% interval). Whole runs differ by another factor where one of \
them needs fewer tokens.
"""


class Peer(NamedTuple):
    """result: its name in results.json. benchmark: what `make bench NAME=` is given."""

    result: str
    benchmark: str
    work: str
    tool: str


PEERS = (
    Peer("sampler_vs_generate", "sampler_vs_generate", "sampling, 256 prompts", "transformers' `generate`"),
    Peer("sampler_vs_vllm", "sampler_vs_vllm", "sampling, 256 prompts", "vLLM on CPUs"),
    Peer("sft_vs_trl", "sft_vs_trl", "SFT of GPT\\*", "TRL's SFTTrainer"),
    Peer("sft_vs_plain_loop", "sft_vs_trl", "SFT of GPT\\*", "a plain loop in PyTorch"),
    Peer("prm_vs_transformers", "prm_vs_transformers", "training of a PRM", "transformers' Trainer"),
    Peer(
        "prm_vs_transformers_with_muon",
        "prm_vs_transformers",
        "training of a PRM as nano's: Muon, probability feature",
        "transformers' Trainer, AdamW, no feature",
    ),
    Peer("prm_vs_plain_loop", "prm_vs_transformers", "training of a PRM", "a plain loop in PyTorch"),
    Peer("grpo_vs_trl", "grpo_vs_trl", "GRPO with sampling and rewards", "TRL's GRPOTrainer"),
    Peer("grpo_vs_plain_loop", "grpo_vs_trl", "GRPO with sampling and rewards", "a plain loop in PyTorch"),
    Peer("beam_vs_its_hub", "beam_vs_its_hub", "step beam, all problems at once", "its_hub"),
    Peer(
        "beam_vs_its_hub_one_by_one", "beam_vs_its_hub", "step beam", "its_hub, one problem after the other"
    ),
    Peer("beam_vs_llm_reasoners", "mcts_vs_llm_reasoners", "step beam", "llm-reasoners"),
    Peer("mcts_vs_llm_reasoners", "mcts_vs_llm_reasoners", "MCTS", "llm-reasoners"),
    Peer("labels_vs_pandas", "labels_vs_pandas", "ingest of 20,000 rated solutions", "json and pandas"),
)


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The whole text. results: the content of results.json."""
    lines = [
        "| work | other tool | ours | theirs | ratio | target | command |",
        "| --- | --- | --- | --- | ---: | --- | --- |",
    ]
    conditions = []
    for peer in PEERS:
        row = results.get(peer.result)
        measured, asked = "not measured", "–"
        if row:
            measured = f"{row['value']:.2f} ± {row['spread']:.2f}"
            # "at least 6; batch 256; ...": the target, and then the conditions.
            target, _, how = row["against"].partition("; ")
            met = row["value"] >= float(target.removeprefix("at least "))
            asked = f"{target}: {'met' if met else '**missed**'}"
            conditions += [f"- {peer.work}, {peer.tool}: {how}."] if how else []
        sides = [(row or {}).get(side, "–") for side in ("ours", "theirs")]
        command = f"`make bench NAME={peer.benchmark}`"
        lines.append(f"| {' | '.join([peer.work, peer.tool, *sides, measured, asked, command])} |")
    return "\n".join([HEAD, *lines, "", CONDITIONS, *conditions]).rstrip() + "\n"
