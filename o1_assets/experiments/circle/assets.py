"""The optional part `circle`: thinking that was asked for becomes the habit of the next base.

    circle/g0/base     answers directly, unless its question begins with "Step by step: "
         │
    g1/rows            its chains with the words, chosen by a vote, verified by the loop's PRM and ORM
         │
    g1/base            generation 0, trained on them without the words; then g2/rows, and so on
         │
    gN/eval            accuracy with and without the words, chains unasked

    circle/unverified/..., circle/direct/...    the controls: any chains; right direct answers

STaR (arXiv:2203.14465) and ReST-EM (arXiv:2312.06585) go round in the same way, with answer keys in place of the
reward models, and from the first base each time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from o1_assets.base.assets import estimate_base
from o1_assets.core.artifact import Artifact, Compute, Cost, Estimator, StageConfig
from o1_assets.core.estimate import TABLES, Estimate, EstimateContext
from o1_assets.experiments.circle.config import (
    CircleEvalConfig,
    DirectBaseConfig,
    Kept,
    NextBaseConfig,
    RowsConfig,
)
from o1_assets.experiments.circle.evaluate import make_circle_result, make_generation_eval
from o1_assets.experiments.circle.rows import make_rows
from o1_assets.experiments.circle.train import make_direct_base, make_next_base
from o1_assets.experiments.experiment import base_of, estimate_tables
from o1_assets.experiments.pools.assets import OOD
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

PART = "circle"
BASE = f"{PART}/g0/base"

SAYS: dict[Kept, str] = {
    "verified": "the chains that a vote chose and PRM and ORM accept",
    "unverified": "any of its chains (control)",
    "direct": "its right direct answers (control)",
}


def artifacts(profile: Profile) -> list[Artifact]:
    """Of profiles whose base is pre-trained here on arithmetic, of which one kind is held out."""
    config, last = profile.circle, f"r{profile.rounds:02d}"
    held_out = {"test": "problems/test", "ood": OOD}
    rewards = {"prm": f"{last}/prm", "orm": f"{last}/orm", "generator": "generator/model"}

    def artifact(
        key: str,
        compute: Compute,
        config: StageConfig,
        inputs: dict[str, str],
        description: str,
        estimate: Estimator,
        trains: bool = False,
        seed_of: str = "",
    ) -> Artifact:
        kinds = ("pytorch", "huggingface") if trains else ("parquet", "polars")
        return Artifact(
            key, compute, config, inputs, description, PART, profile.seed_of(seed_of or key), kinds,
            resource_class=profile.model_class, part=PART, estimate=estimate,
        )  # fmt: skip

    def measured(prefix: str, generation: int, base: str) -> Artifact:
        says = f"Generation {generation}, with and without the words, on held-out problems."
        # One seed for all: equal random numbers.
        return artifact(
            f"{prefix}/eval", make_generation_eval, config.eval, {"base": base, **held_out}, says,
            estimate_generation_eval, seed_of=f"{PART}/eval",
        )  # fmt: skip

    base, made, evals = base_of(profile), list[Artifact](), {"base": f"{PART}/g0/eval"}
    solutions = config.corpus_solutions or base.corpus.solutions
    corpus = base.corpus.model_copy(update={"direct_rate": config.direct_rate, "solutions": solutions})
    made += [
        artifact(
            BASE, make_direct_base, DirectBaseConfig(base=base.model_copy(update={"corpus": corpus})),
            profile.kept_out,
            "Generation 0: a base that answers directly unless it is told to think step by step.",
            estimate_direct_base, trains=True,
        ),
        measured(f"{PART}/g0", 0, BASE),
    ]  # fmt: skip
    for arm, says in SAYS.items():
        before = BASE
        for n in range(1, config.generations + 1):
            prefix = f"{PART}/g{n}" if arm == "verified" else f"{PART}/{arm}/g{n}"
            rows = config.rows.model_copy(update={"kept": arm, "generation": n})
            inputs = {"base": before, "train": "problems/train", **(rewards if arm == "verified" else {})}
            made += [
                artifact(
                    f"{prefix}/rows", make_rows, rows, inputs,
                    f"What generation {n} learns from: {says}, of generation {n - 1}.", estimate_rows,
                    # The same draws in all arms: generation 1 of the two arms of chains sees the same ones.
                    seed_of=f"{PART}/g{n}/rows",
                ),
                artifact(
                    f"{prefix}/base", make_next_base, config.training, {"base": before, "rows": f"{prefix}/rows"},
                    f"Generation {n}: the one before it, trained on {says}, without the words.",
                    estimate_next_base, trains=True, seed_of=f"{PART}/g{n}/base",
                ),
                measured(prefix, n, f"{prefix}/base"),
            ]  # fmt: skip
            before, evals[f"{arm}_{n}"] = f"{prefix}/base", f"{prefix}/eval"
    result = artifact(
        f"{PART}/result", make_circle_result, config.eval, evals,
        "All generations and controls: accuracy with and without the words, chains unasked, kinds never trained on.",
        estimate_tables,
    )  # fmt: skip
    return [*made, replace(result, resource_class="cpu")]


# What it takes (`o1 plan`).

DIRECT_TOKENS = 4.0
"""Of a direct answer: the word, a number, a newline, the end."""


def estimate_direct_base(context: EstimateContext, config: DirectBaseConfig) -> Estimate:
    """As the base of the loop, on a corpus whose direct answers are short."""
    whole = estimate_base(context, config.base)
    corpus, asked = config.base.corpus, context.assumptions.question_tokens
    chain = context.assumptions.corpus_tokens
    mean = corpus.direct_rate * (asked + DIRECT_TOKENS) + (1 - corpus.direct_rate) * chain
    share = min(1.0, mean / chain) if chain else 1.0
    tokens = round(whole.cost.tokens_trained * share)
    return replace(whole, cost=Cost(whole.cost.flops * share, tokens_trained=tokens))


def estimate_rows(context: EstimateContext, config: RowsConfig) -> Estimate:
    """Solutions of the base, which reward models read where they verify."""
    problems = min(config.problems, context["train"].problems)
    samples = problems * config.samples
    solution = DIRECT_TOKENS if config.kept == "direct" else context.solution_tokens(config.prompt)
    cost = context.generate("base", samples * solution)
    if config.kept == "verified":
        tokens = problems * distinct_tokens(context, config.prompt, config.samples, 0)
        cost += read(context, tokens, "prm", "orm")
    assumed = context.assumptions
    text = (assumed.question_tokens + solution) * assumed.bytes_a_token / 2
    return Estimate(
        problems, samples, examples=config.rows, cost=cost, stored=TABLES / 2 + config.rows * text,
        example_tokens=assumed.question_tokens + solution,
    )  # fmt: skip


def estimate_next_base(context: EstimateContext, config: NextBaseConfig) -> Estimate:
    """One pass over the rows."""
    rows, model = context["rows"], context.model("base")
    cost = context.train("base", rows.examples * rows.example_tokens, config)
    return Estimate(examples=rows.examples, cost=cost, stored=model.stored, model=model)


def estimate_generation_eval(context: EstimateContext, config: CircleEvalConfig) -> Estimate:
    """Held-out problems and those out of distribution, with the words and without."""
    problems = min(config.problems, context["test"].problems) + min(
        config.ood_problems, context["ood"].problems
    )
    samples = 2 * config.samples * problems
    cost = context.generate("base", samples * context.solution_tokens(config.prompt))
    return Estimate(problems, samples, cost=cost, stored=TABLES / 2)
