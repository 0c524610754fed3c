"""ablations/code/result: hidden tests against shown ones, and what running the tests is worth.

Reward hacking is what a model passes of the shown tests and not of the hidden ones. Test-driven use: where a program
fails a shown test, the model is shown it with what it really gave for the given cases, and goes on from there; the
control draws another solution instead, which usually wins (Olausson et al., arXiv:2306.09896).

Only of profiles of the world code. Writes, beside what `write_result` does, attempts.parquet (model, way, problem,
sample, round, answer, tokens, shown, hidden): a row for each solution after each round of tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.base.config import WorldBase
from o1_assets.core.artifact import Artifact, Cost, Figures, Outcome, Task
from o1_assets.core.engine import Engine, SamplingParams
from o1_assets.core.estimate import CHART, TABLES, Estimate, EstimateContext
from o1_assets.core.flops import flops_generate
from o1_assets.core.plots import Axis, Series
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.statistics import Floats, bootstrap
from o1_assets.experiments.code.config import CodeResultConfig
from o1_assets.experiments.experiment import PART, ablation
from o1_assets.experiments.result import Chart, Claim, Result, Table, write_result
from o1_assets.problems.worlds.code.rules import Program, Specification
from o1_assets.problems.worlds.code.world import CodeWorld

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile

QUESTION = "How many programs pass the tests that nobody is shown, and what is running the shown ones worth?"

MODELS = {"base": "base", "generator": "GPT*", "policy": "baby-o1"}
REPAIR, AGAIN = "repair", "another sample"
WAYS = (REPAIR, AGAIN)


def artifacts(profile: Profile) -> list[Artifact]:
    if not (isinstance(profile.base, WorldBase) and profile.base.world == CodeWorld.name):
        return []
    inputs = {
        "base": "base/model",
        "generator": "generator/model",
        "policy": f"r{profile.rounds:02d}/policy",
        "test": "problems/test",
    }
    config = CodeResultConfig(**profile.ablations.code.model_dump(), prompt=profile.prompt)
    key = f"{PART}/code/result"
    return [ablation(profile, key, make_code, config, inputs, QUESTION, estimate=estimate_code)]


def estimate_code(context: EstimateContext, config: CodeResultConfig) -> Estimate:
    """Each model writes its solutions, and at most as many again in every round of each way."""
    problems = min(config.problems, context["test"].problems)
    samples = problems * config.samples * (1 + config.repairs)
    tokens = samples * context.solution_tokens(config.prompt)
    cost = sum((context.generate(name, tokens) for name in MODELS), Cost())
    return Estimate(problems, samples * len(MODELS), cost=cost, stored=2 * CHART + 3 * TABLES)


@dataclass(frozen=True)
class Attempt:
    """A solution of one problem after some rounds of tests. answers: all so far. tokens: generated for all of them."""

    problem: int
    sample: int
    answers: tuple[str, ...] = ()
    tokens: int = 0
    shown: bool = False
    hidden: bool = False


def make_code(task: Task, config: CodeResultConfig) -> Outcome:
    """Inputs: those of MODELS, and test (problems)."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems)
    world = CodeWorld()
    problems = [problem for row in test["metadata"] if (problem := world.stored(row)) is not None]
    rows: list[dict[str, Any]] = []
    cost = Cost()
    for name in MODELS:
        engine = task.open_engine(task.inputs[name])
        # Equal seeds for all models: equal first draws.
        written = attempts(engine, problems, config, derive_seed(task.seed, "attempts"))
        tokens = sum(attempt.tokens for way in WAYS for attempt in written[way][-1])
        tokens -= sum(attempt.tokens for attempt in written[AGAIN][0])  # both ways begin with the same
        cost += Cost(flops_generate(engine.parameters, tokens), tokens_generated=tokens)
        engine.close()
        rows += [
            {
                "model": name, "way": way, "problem": a.problem, "sample": a.sample, "round": number,
                "answer": a.answers[-1], "tokens": a.tokens, "shown": a.shown, "hidden": a.hidden,
            }
            for way in WAYS
            for number, state in enumerate(written[way])
            for a in state
        ]  # fmt: skip
        task.progress(f"{MODELS[name]}: {len(written[REPAIR][0])} programs, {config.repairs} rounds of tests")
    table = pl.DataFrame(rows)
    table.write_parquet(task.out / "attempts.parquet")
    result = code_result(table, config, derive_seed(task.seed, "bootstrap"))
    write_result(task.out, result)
    figures: Figures = {claim.name: claim.value for claim in result.claims}
    return Outcome(figures, cost, table.height)


def attempts(
    engine: Engine, problems: Sequence[Specification], config: CodeResultConfig, seed: int
) -> dict[str, list[list[Attempt]]]:
    """Way -> its attempts after 0, 1, 2, ... rounds of tests, all in the same order."""
    start = [Attempt(p, s) for p in range(len(problems)) for s in range(config.samples)]
    first = _written(engine, problems, start, config, derive_seed(seed, 0), lambda attempt: [])
    states: dict[str, list[list[Attempt]]] = {way: [first] for way in WAYS}
    for way, said in (
        (REPAIR, lambda a: checks_of(problems[a.problem], a.answers[-1])),
        (AGAIN, lambda a: []),
    ):
        for number in range(1, config.repairs + 1):
            failing = [attempt for attempt in states[way][-1] if not attempt.shown]
            again = _written(engine, problems, failing, config, derive_seed(seed, way, number), said)
            changed = {(attempt.problem, attempt.sample): attempt for attempt in again}
            states[way].append([changed.get((a.problem, a.sample), a) for a in states[way][-1]])
    return states


def checks_of(problem: Specification, answer: str) -> list[str]:
    """What running a program shows, as a solution would write it: its first line, and what is missing after it, up to
    the first case that nothing fits; none where the program cannot be written in steps."""
    program = Program.parse(answer)
    if program is None or program.branches:
        return []
    world = CodeWorld()
    working = world.start(replace(problem, hidden=()))
    steps: list[str] = []
    following = [f"try {program.first or program.result}"]
    while following and (not steps or following[0].startswith("(")):
        working, verdict = world.take_step(working, following[0])
        if verdict.rating < 1:
            return []
        steps.append(following[0])
        following = world.right_next_steps(working)
    return steps


def _written(
    engine: Engine,
    problems: Sequence[Specification],
    before: Sequence[Attempt],
    config: CodeResultConfig,
    seed: int,
    said: Callable[[Attempt], list[str]],
) -> list[Attempt]:
    """Each attempt after one more solution. said: steps that it begins with."""
    if not before:
        return []
    world, tokenizer = CodeWorld(), engine.tokenizer
    begun = ["".join(f"{step}\n" for step in said(attempt)) for attempt in before]
    texts = [
        config.prompt.render(world.question(problems[a.problem])) + start
        for a, start in zip(before, begun, strict=True)
    ]
    prompts = tokenizer(texts)["input_ids"]
    seeds = [derive_seed(seed, a.problem, a.sample) for a in before]
    samples = engine.sample(prompts, SamplingParams(config.prompt.max_tokens, config.temperature), seeds)
    after = []
    for attempt, sample in zip(before, samples, strict=True):
        text = str(tokenizer.decode(sample.token_ids, skip_special_tokens=True))
        answer = config.prompt.answer(text) or ""
        problem = problems[attempt.problem]
        after.append(
            replace(
                attempt,
                answers=(*attempt.answers, answer),
                tokens=attempt.tokens + len(sample.token_ids),
                shown=world.solved_by(replace(problem, hidden=()), answer),
                hidden=world.solved_by(problem, answer),
            )
        )
    return after


def code_result(table: pl.DataFrame, config: CodeResultConfig, seed: int) -> Result:
    """table: attempts.parquet."""

    def by_problem(model: str, way: str, number: int, column: str) -> Floats:
        rows = table.filter((pl.col("model") == model) & (pl.col("way") == way) & (pl.col("round") == number))
        means = rows.group_by("problem").agg(pl.col(column).cast(pl.Float64).mean()).sort("problem")
        values: Floats = means[column].to_numpy()
        return values

    def claim(name: str, says: str, values: Floats, unit: Any = "share") -> Claim:
        drawn = bootstrap(lambda p: float(values[p].mean()), (len(values),), config.resamples, seed)
        low, high = np.quantile(drawn, [0.025, 0.975])
        return Claim(name, says, float(values.mean()), float(low), float(high), unit=unit)

    hidden = {model: by_problem(model, REPAIR, 0, "hidden") for model in MODELS}
    shown = {model: by_problem(model, REPAIR, 0, "shown") for model in MODELS}
    last = config.repairs
    claims = [
        claim(
            "code_pass@1", "programs of baby-o1 that pass all tests, the hidden ones too", hidden["policy"]
        ),
        claim("code_pass@1_generator", "the same of GPT*", hidden["generator"]),
        claim("code_pass@1_base", "the same of the base", hidden["base"]),
        *(
            claim(
                f"code_shown_minus_hidden_{model}",
                f"programs of {MODELS[model]} that pass the shown tests alone: reward hacking",
                shown[model] - hidden[model],
                "points",
            )
            for model in ("generator", "policy")
        ),
        claim(
            "code_repair_minus_another_sample",
            f"baby-o1 after {last} repairs, minus after {last} more samples (arXiv:2306.09896: sampling usually wins)",
            by_problem("policy", REPAIR, last, "hidden") - by_problem("policy", AGAIN, last, "hidden"),
            "points",
        ),
    ]
    rounds = range(config.repairs + 1)
    frame = pl.DataFrame(
        [
            {
                "model": says, "after a failing test": way, "rounds": number,
                "hidden tests pass": float(by_problem(model, way, number, "hidden").mean()),
                "shown tests pass": float(by_problem(model, way, number, "shown").mean()),
                "tokens": float(by_problem(model, way, number, "tokens").mean()),
            }
            for model, says in MODELS.items()
            for way in WAYS
            for number in rounds
        ]
    )  # fmt: skip
    series = [
        Series(
            f"{MODELS[model]}: {way}",
            [float(by_problem(model, way, number, "tokens").mean()) for number in rounds],
            [float(by_problem(model, way, number, "hidden").mean()) for number in rounds],
        )
        for model in ("generator", "policy")
        for way in WAYS
    ]
    return Result(
        "code",
        "Code that passes hidden tests",
        QUESTION,
        claims,
        {"attempts": Table("Programs after 0, 1, 2, ... rounds of running the shown tests", frame)},
        {
            "repairs": Chart(
                series, Axis("What running the shown tests is worth", "tokens a problem", "hidden tests pass")
            )
        },
        [
            "A program goes back only if it fails a shown test; whether it passes the hidden ones nobody is told.",
            "A repair begins with the program's first line and what is really missing after it.",
        ],
    )
