"""The trainings of ablations/rl: GRPO from GPT* with one form of reward, watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from o1_assets.ablations.rl.config import RLArmConfig, UntrainedConfig
from o1_assets.ablations.rl.guards import without
from o1_assets.ablations.rl.watched import Watched, WatchedCheckpoints
from o1_assets.ablations.spent import write_cost
from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.flops import flops_generate, flops_train
from o1_assets.policy.config import PolicyConfig
from o1_assets.policy.train import draw_problems, train_policy
from o1_assets.problems.answers import extract_answer
from o1_assets.problems.grading import grade


def rl_arm(task: Task, config: RLArmConfig) -> Outcome:
    """Inputs: policy (to start from), generator, prm, orm, train (problems). Writes a checkpoint, its cost, and
    watched.parquet, a row an update (watched.py).

    The curve needs both reward models everywhere: an arm that is trained with one of them scores a few tokens more
    than its training needs, and its cost counts them.
    """
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer
    from o1_assets.reward.score import load_scorer
    from o1_assets.training.tuning import finish, prepare

    policy = config.policy
    policy = policy.model_copy(update={"reward": without(policy.reward, config.guards)})
    model = load_causal_lm(task.inputs["policy"], policy.tuning.weights)
    prepare(model, policy.tuning, task.seed)
    tokenizer = load_tokenizer(task.inputs["policy"])
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], task.inputs["orm"])
    problems = draw_problems(pl.read_parquet(task.inputs["train"] / "problems.parquet"), policy, task.seed)
    watched = Watched(scorer, tokenizer, policy, config.guards, checker(problems, tokenizer, policy))
    checkpoints = WatchedCheckpoints(watched, task.unfinished, task.progress)

    def progress(line: str) -> None:
        """Without the line of a policy's training: its scores are what the reward was written as (guards.py)."""
        now = watched.points[-1]
        task.progress(
            f"update {len(watched.points)}/{policy.updates}: right {now['true']:.2f}, PRM {now['prm']:.2f}, "
            f"ORM {now['orm']:.2f}, {now['tokens']:.1f} tokens"
        )

    _, collector, tokens_trained = train_policy(
        model, tokenizer, watched, problems, policy, task.seed, progress, checkpoints, scorer.cost
    )
    finish(model, policy.tuning)
    model.save_pretrained(task.out)
    tokenizer.save_pretrained(task.out)
    curve = pl.DataFrame(watched.points)
    curve.write_parquet(task.out / "watched.parquet")
    parameters, generated = collector.engine.parameters, collector.tokens_generated
    cost = collector.scored_before + scorer.cost()
    cost += Cost(
        flops_generate(parameters, generated)
        + flops_train(parameters, tokens_trained, policy.tuning.lora is not None),
        tokens_generated=generated,
        tokens_trained=tokens_trained,
    )
    write_cost(task.out, cost, policy.updates)
    quarter = max(1, curve.height // 4)
    figures = {
        f"{name}_{when}": float(part[name].to_numpy().mean())
        for name in ("true", "prm", "orm", "tokens")
        for when, part in (("first", curve.head(quarter)), ("last", curve.tail(quarter)))
    }
    return Outcome({"updates": curve.height, **figures}, cost, curve.height, curve.tail(5).to_dicts())


def untrained(task: Task, config: UntrainedConfig) -> Outcome:
    """Input: policy. Writes it as it is, at no cost: what the arms began as, judged like them."""
    from o1_assets.engine.checkpoint import load_causal_lm, load_tokenizer

    load_causal_lm(task.inputs["policy"]).save_pretrained(task.out)
    load_tokenizer(task.inputs["policy"]).save_pretrained(task.out)
    write_cost(task.out, Cost(), 0)
    return Outcome()


def checker(
    problems: list[dict[str, Any]], tokenizer: Any, config: PolicyConfig
) -> Callable[[tuple[int, ...], str], bool]:
    """(prompt's token ids, solution) -> is its final answer right."""
    prompts = (config.prompt_template.replace("{question}", problem["question"]) for problem in problems)
    of_prompt = {
        tuple(tokenizer.encode(prompt, add_special_tokens=False)): problem
        for prompt, problem in zip(prompts, problems, strict=True)
    }

    def right(prompt: tuple[int, ...], solution: str) -> bool:
        problem = of_prompt[prompt]
        return grade(problem["grader"], extract_answer(solution, config.answer_prefix), problem)

    return right
