"""What is evaluated over all rounds. A round's own figures are rNN/eval (rounds/factory.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from o1_assets.core.artifact import Artifact
from o1_assets.core.estimate import CHART, ROW, TABLES, Estimate, EstimateContext
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.round_eval import make_round_eval
from o1_assets.evaluation.summary import make_summary
from o1_assets.evaluation.thinking.assets import thinking_artifacts
from o1_assets.generator.assets import estimate_difficulty
from o1_assets.generator.difficulty import make_difficulty
from o1_assets.reward.estimate import distinct_tokens, read

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile


def evaluation_artifacts(profile: Profile) -> list[Artifact]:
    rounds = [f"{k:02d}" for k in range(profile.rounds + 1)]
    last = rounds[-1]

    def headline_eval(key: str, policy: str, description: str) -> Artifact:
        return Artifact(
            key=key,
            compute=make_round_eval,
            config=profile.headline_eval,
            inputs={
                "policy": policy,
                "generator": "generator/model",
                "prm": f"r{last}/prm",
                "orm": f"r{last}/orm",
                "test": "problems/test",
            },
            seed=profile.seed_of(key),
            group="eval",
            description=description,
            kinds=("parquet", "polars"),
            estimate=estimate_round_eval,
            resource_class=profile.model_class,
        )

    base = Artifact(
        key="eval/base",
        compute=make_difficulty,
        config=profile.samples.model_copy(
            update={"problems": profile.headline_eval.problems, "per_problem": profile.difficulty.samples}
        ),
        inputs={"model": "base/model", "problems": "problems/test"},
        seed=profile.seed_of("eval/base"),
        group="eval",
        part="prompted_base",
        description="How many samples of the prompted base solve each held-out problem of eval/generator: what GPT* is "
        "held against.",
        kinds=("parquet", "polars"),
        resource_class=profile.model_class,
        estimate=estimate_difficulty,
    )
    return [
        base,
        headline_eval(
            "eval/generator",
            "generator/model",
            "GPT* on the held-out problems, its solutions judged by the newest reward models: what baby-o1 is held "
            "against, and where reward models are compared, because its samples are not yet nearly all right.",
        ),
        headline_eval(
            "eval/baby_o1",
            f"r{last}/policy",
            "The last baby-o1 on the same problems, measured as GPT* is.",
        ),
        Artifact(
            key="eval/summary",
            compute=make_summary,
            config=profile.summary,
            inputs={
                **{f"eval_{k}": f"r{k}/eval" for k in rounds},
                **{f"prm_{k}": f"r{k}/prm" for k in rounds},
                "generator_eval": "eval/generator",
                "policy_eval": "eval/baby_o1",
                "generator": "generator/model",
                "test": "problems/test",
            },
            seed=profile.seed_of("eval/summary"),
            group="eval",
            estimate=estimate_summary,
            description="All rounds side by side: learning curves, every PRM on one fixed pool, the headline figures.",
            kinds=("parquet", "polars"),
            resource_class=profile.model_class,
        ),
        *thinking_artifacts(profile),
    ]


# What it takes (`o1 plan`).

# A solution in a table of its own has four scores and its answer. The curves of a seed have this size, and so have the
# exact ones of all seeds.
SCORED_ROW, CURVE = 60.0, 7_000.0


def estimate_round_eval(context: EstimateContext, config: RoundEvalConfig) -> Estimate:
    """Many samples and one greedy solution a problem, scored by both reward models and by the generator alone."""
    assumed, rl_rounds = context.assumptions, context.model("policy").rl_rounds
    problems = min(config.problems, context["test"].problems)
    samples = config.samples * config.seeds
    cost = context.generate("policy", problems * (samples + 1) * context.solution_tokens(config.prompt))
    tokens = problems * distinct_tokens(context, config.prompt, samples, rl_rounds)
    cost += read(context, tokens, "prm", "orm") + context.score("generator", tokens)
    # Equal solutions have equal scores, so that the columns of scores compress too, though less than the text does.
    scores = problems * samples * SCORED_ROW * samples ** ((assumed.novelty(rl_rounds) - 1) / 2)
    steps = problems * min(config.step_samples, config.samples) * assumed.steps * ROW
    stored = context.solutions_bytes(problems, samples, rl_rounds) + scores + steps
    return Estimate(
        problems, problems * samples, cost=cost, stored=stored + (config.seeds + 1) * CURVE + TABLES + CHART
    )


def estimate_summary(context: EstimateContext, config: SummaryConfig) -> Estimate:
    """Every PRM reads one pool with solutions of every round."""
    assumed = context.assumptions
    evals, prms = list(context.starting_with("eval_").values()), list(context.starting_with("prm_"))
    problems = evals[0].problems
    pool = sum(min(config.pool_solutions, rounds.samples) for rounds in evals)
    tokens = problems * distinct_tokens(context, config.prompt, pool / problems, rl_rounds=1)
    # Each solution has a score and its steps' chances, of every PRM, as four bytes each.
    row = assumed.solution_bytes + len(prms) * 4 * (1 + assumed.steps)
    cost = sum((read(context, tokens, prm) for prm in prms), Estimate().cost)
    return Estimate(problems, pool, cost=cost, stored=pool * row + 5 * CHART + 4 * TABLES)
