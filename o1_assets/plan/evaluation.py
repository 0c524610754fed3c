"""rNN/eval, eval/generator, eval/baby_o1 and eval/summary."""

from __future__ import annotations

from o1_assets.core.artifact import Artifact
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.plan.estimate import Estimate
from o1_assets.plan.known import PLOT, Known, rounds_of_rl
from o1_assets.plan.sampling import solutions_bytes

STEP_BYTES, CURVE_BYTES, FIGURE_BYTES = 9.0, 7_000.0, 9_000.0


def round_eval(artifact: Artifact, config: RoundEvalConfig, known: Known) -> Estimate:
    """Many samples and one greedy solution a problem; scored by both reward models and by the generator alone."""
    typical = known.typical
    problems = min(config.problems, known.of(artifact, "test").problems)
    samples = config.samples * config.seeds
    each = min(typical.solution_tokens, config.prompt.max_tokens)
    cost = known.generate(problems * (samples + 1) * each)
    rounds = rounds_of_rl(artifact.inputs["policy"])
    prompt = typical.prompt_tokens(config.prompt)
    cost += known.score(
        problems * known.distinct(prompt, samples, rounds, config.prompt.max_tokens) * (known.passes(2) + 1)
    )
    steps = problems * min(config.step_samples, config.samples) * typical.steps * STEP_BYTES
    stored = solutions_bytes(known, problems, samples, rounds, scores=True) + steps
    stored += config.seeds * CURVE_BYTES + FIGURE_BYTES + PLOT
    return Estimate(problems, problems * samples, cost=cost, stored=stored)


def summary(artifact: Artifact, config: SummaryConfig, known: Known) -> Estimate:
    """Every PRM scores one pool with solutions of every round."""
    evals, prms = known.all_of(artifact, "eval_"), len(known.all_of(artifact, "prm_"))
    problems = evals[0].problems
    pool = sum(min(config.pool_solutions, made.samples) for made in evals)
    prompt = known.typical.prompt_tokens(config.prompt)
    tokens = problems * known.distinct(prompt, pool / problems, 1, known.profile.round_eval.prompt.max_tokens)
    # Each solution with a score and its steps' chances, of every PRM.
    row = known.typical.bytes_a_token * known.typical.solution_tokens + prms * 4 * (1 + known.typical.steps)
    stored = pool * row + 4 * PLOT + 15_000
    return Estimate(problems, pool, cost=known.score(tokens * prms * known.passes(1)), stored=stored)
