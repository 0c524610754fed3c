"""ablations/active/<setting>_<strategy>_<seed>: PRMs on more and more labels that one strategy chose, judged.

Writes sizes.parquet, a row a size: solutions, right (share with the right answer), steps (rated), what
`HeldOut.judge` gives, and what it cost. No PRM is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.evaluation.best_of_n import Pool, expected_best_of_n, fooled_on_pool, powers_of_two
from o1_assets.evaluation.steps import NO_ERROR, cross_fitted_f1
from o1_assets.experiments.active_learning.config import (
    SETTINGS,
    ActiveArmConfig,
    ActiveSelectorConfig,
    Strategy,
)
from o1_assets.labels.annotators.arithmetic_checker import expression_of, first_error, rate_steps
from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.config import RewardModelConfig
from o1_assets.reward.dataset import Example, prm_examples, step_sequence
from o1_assets.reward.read import PackedSequences, pack_sequences, read_steps, reading_cost
from o1_assets.reward.train import PackedExamples, area_under_curve, pack_examples, train_reward_model
from o1_assets.rounds.choose import choose_convincing

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


# Which solutions of the pool are labelled.

SAME = ("problem_id", "text")
"""What makes two samples one solution: nobody labels it twice."""


def doubt(p_right: NDArray[np.float64] | Sequence[float]) -> float:
    """How unsure a PRM is of a solution: 1 minus the confidence max(p, 1 - p) in its least certain step, from 0 (sure)
    to 0.5.

    The aleatoric uncertainty of ActPRM (arXiv:2504.10559): only steps up to the first predicted error count,
    because a label goes no further. There everything less confident than a threshold is labelled; here the number of
    labels is given, so the least confident come first. Their second measure, disagreement within an ensemble of
    heads, is left out. A solution without any step is not worth a label: 0.
    """
    p = np.asarray(p_right, dtype=np.float64)
    wrong = np.flatnonzero(p < 0.5)
    read = p[: wrong[0] + 1] if len(wrong) else p
    return float(1 - np.maximum(read, 1 - read).min()) if len(read) else 0.0


def draw(samples: pl.DataFrame, per_problem: int, seed: int) -> pl.DataFrame:
    """Samples in random order, each solution once, at most `per_problem` of a problem: a longer draw contains the
    shorter. What the policy writes often is drawn early, as in the paper, where no two samples are equal."""
    shuffled = samples.sort("problem_id", "sample").sample(fraction=1.0, shuffle=True, seed=seed)
    return shuffled.unique(SAME, keep="first", maintain_order=True).filter(
        pl.int_range(pl.len()).over("problem_id") < per_problem
    )


def choose(
    strategy: Strategy,
    samples: pl.DataFrame,
    scores: pl.DataFrame,
    n: int,
    per_problem: int,
    wrong_share: float,
    seed: int,
) -> pl.DataFrame:
    """n rows of samples. scores: solution_id, score and doubt by the selector, of each different solution.

    uniform: `draw`. convincing_wrong: `rounds.choose.choose_convincing`. uncertain: the highest doubt. Raises
    ValueError if there are not as many.
    """
    if strategy == "uniform":
        chosen = draw(samples, per_problem, seed).head(n)
    else:
        pool = samples.join(scores, on="solution_id", how="inner", maintain_order="left")
        if strategy == "convincing_wrong":
            chosen = choose_convincing(pool, n, per_problem, wrong_share)
        else:
            ranked = pool.sort(["doubt", "solution_id"], descending=[True, False])
            chosen = ranked.filter(pl.int_range(pl.len()).over("problem_id") < per_problem).head(n)
    if chosen.height < n:
        raise ValueError(
            f"the pool has {chosen.height} solutions to choose from, not {n}; set ablations.active.sizes lower, or "
            "per_problem, pool_problems or pool_samples higher"
        )
    return chosen


# The labels: the exact checker under the sparse protocol, to the first wrong step, without alternatives.

Problems = Mapping[str, Mapping[str, Any]]
"""problem_id -> its row."""


def problems_of(table: pl.DataFrame) -> Problems:
    """Raises ValueError where a problem cannot be rated by the exact checker."""
    rows = {row["problem_id"]: row for row in table.iter_rows(named=True)}
    unrated = next((name for name, row in rows.items() if expression_of(row) is None), None)
    if unrated is not None:
        raise ValueError(
            f"ablations/active needs problems with an exact checker, and {unrated} has none; "
            "use a source of arithmetic problems (problems.source) or leave this experiment out"
        )
    return rows


def sparse(problem: Mapping[str, Any], steps: list[str]) -> list[int]:
    """Ratings up to the first negative one (Lightman et al. 2023, section 2.4)."""
    ratings = rate_steps(problem, steps)
    return ratings[: ratings.index(-1) + 1] if -1 in ratings else ratings


def examples(
    chosen: pl.DataFrame,
    problems: Problems,
    tokenizer: PreTrainedTokenizerBase,
    prompt: PromptFormat,
    round: int,
) -> list[Example]:
    """One a chosen solution (problem_id, solution_id, steps), read no further than it is rated."""
    made = []
    for s in chosen.select("problem_id", "solution_id", "steps").iter_rows(named=True):
        problem = problems[s["problem_id"]]
        ratings = sparse(problem, s["steps"])
        if not ratings:
            continue
        asked = prompt.render(problem["question"])
        sequence = step_sequence(tokenizer, asked, s["steps"][: len(ratings)])
        classes = tuple(rating + 1 for rating in ratings)
        made.append(Example(s["problem_id"], s["solution_id"], round, (sequence,), (classes,)))
    return made


def pack_solutions(
    solutions: pl.DataFrame,
    questions: Mapping[str, str],
    tokenizer: PreTrainedTokenizerBase,
    generator: PreTrainedModel,
    config: RewardModelConfig,
) -> PackedSequences:
    """solutions: problem_id, steps. Packed once, and read by every PRM of an arm."""
    sequences = [
        step_sequence(tokenizer, config.prompt.render(questions[problem]), steps)
        for problem, steps in solutions.select("problem_id", "steps").iter_rows()
    ]
    return pack_sequences(sequences, generator if config.probability_feature else None, config.score_tokens)


def p_right(model: RewardModel, packed: PackedSequences) -> list[NDArray[np.float64]]:
    """For each solution (steps,): P(step is right)."""
    (of_solutions,) = read_steps([model], packed)
    return [right_probabilities(classes) for classes in of_solutions]


# A PRM on held-out problems: best of N, how often it is fooled, and whether it finds the first wrong step.


@dataclass(frozen=True)
class HeldOut:
    """pool: the held-out samples [P, M]. which[i]: the different solution that sample i, in the pool's order, is.

    rated: indices of the different solutions that step F1 is measured on, truth: their first wrong step.
    """

    pool: Pool
    packed: PackedSequences
    which: NDArray[np.int64]
    rated: Sequence[int]
    truth: Sequence[int]
    groups: Sequence[str]

    @classmethod
    def of(
        cls,
        samples: pl.DataFrame,
        problems: Problems,
        tokenizer: PreTrainedTokenizerBase,
        generator: PreTrainedModel,
        config: RewardModelConfig,
        step_samples: int,
    ) -> HeldOut:
        """samples: a solutions table, equally many of each problem; step_samples: the first so many are rated."""
        ordered = samples.sort("problem_id", "sample")
        different = ordered.unique(SAME, keep="first", maintain_order=True).with_row_index("at")
        which = ordered.join(different.select(*SAME, "at"), on=SAME, how="left", maintain_order="left")["at"]
        questions: Mapping[str, str] = {name: str(row["question"]) for name, row in problems.items()}
        packed = pack_solutions(different, questions, tokenizer, generator, config)
        early = which.filter(ordered["sample"] < step_samples).unique().sort()
        rated = different[early.to_list()].filter(pl.col("steps").list.len() > 0)
        truth = []
        for problem, steps in rated.select("problem_id", "steps").iter_rows():
            error = first_error(problems[problem], steps)
            truth.append(NO_ERROR if error is None else error)
        return cls(
            Pool.from_frame(ordered),
            packed,
            which.cast(pl.Int64).to_numpy(),
            rated["at"].to_list(),
            truth,
            rated["problem_id"].to_list(),
        )

    def judge(self, found: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
        """best_of_<N>: lists, a value a problem, exact over all subsets; fooled: the share of wrong solutions with a
        score above that of the median right one; step_f1.

        found: for each packed solution (steps,), P(step is right) by the PRM.
        """
        # Silence is not perfect: without a step a solution stands last.
        logs = np.array([np.log(np.maximum(p, 1e-300)).sum() if len(p) else -np.inf for p in found])
        scores = logs[self.which].reshape(self.pool.correct.shape)
        result: dict[str, Any] = {
            f"best_of_{n}": [
                expected_best_of_n(own, right, n)
                for own, right in zip(scores, self.pool.correct, strict=True)
            ]
            for n in sorted({*powers_of_two(self.pool.samples)[1:], self.pool.samples})
        }
        result["fooled"] = fooled_on_pool(scores.ravel(), self.pool.correct.ravel())
        result["step_f1"] = cross_fitted_f1([found[i] for i in self.rated], self.truth, self.groups)[0].f1
        return result


REPLAY, CHOSEN = 0, 1
"""Rounds, as the sampler counts them: what is newest has its own share of every batch."""


def make_arm(task: Task, config: ActiveArmConfig) -> Outcome:
    """Inputs: init (what is fine-tuned), generator, pool and held_out (solutions), train and test (problems), scores
    (but for uniform), labels (of phase 1, replayed, where they are added to).

    A size that is done is kept where a killed training continues.
    """
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import PRM_CLASSES
    from o1_assets.reward.score import open_generator

    train = problems_of(pl.read_parquet(task.inputs["train"] / "problems.parquet"))
    test = problems_of(pl.read_parquet(task.inputs["test"] / "problems.parquet"))
    samples = pl.read_parquet(task.inputs["pool"] / "solutions.parquet")
    tokenizer, generator = load_tokenizer(task.inputs["generator"]), open_generator(task.inputs["generator"])
    held_out = HeldOut.of(
        pl.read_parquet(task.inputs["held_out"] / "solutions.parquet"),
        test, tokenizer, generator, config.prm, config.step_samples,
    )  # fmt: skip
    prompt, replay = config.prm.prompt, []
    if "labels" in task.inputs:
        labels = pl.read_parquet(task.inputs["labels"] / "labels.parquet")
        replay = [pack_examples(prm_examples(labels, tokenizer, prompt, REPLAY), generator, config.prm)]
    scores, rows, cost = _scores(task, config), [], Cost()
    for n in config.sizes:
        kept = task.unfinished / f"size_{n}.json" if task.unfinished else None
        row = _read(kept)
        if row is None:
            chosen = choose(
                config.strategy,
                samples,
                scores,
                n,
                config.per_problem,
                config.wrong_share,
                config.choice_seed,
            )
            own = examples(chosen, train, tokenizer, prompt, CHOSEN)
            progress = _prefixed(task, f"{n} solutions: ")
            train_set = PackedExamples.concat([pack_examples(own, generator, config.prm), *replay])
            model, _, spent = train_reward_model(
                task.inputs["init"], train_set, PRM_CLASSES, config.prm, derive_seed(task.seed, "training", n),
                progress, Checkpoints(task.unfinished / f"training_{n}" if task.unfinished else None, progress),
            )  # fmt: skip
            spent += reading_cost(model.backbone, held_out.packed.tokens)
            row = {
                "solutions": n,
                "right": float(chosen.select(pl.col("correct").mean()).item()),
                "steps": sum(len(e.labels[0]) for e in own),
                **held_out.judge(p_right(model, held_out.packed)),
                "cost": asdict(spent),
            }
            if kept is not None:
                replace_file(kept, json_bytes(row))
        cost += Cost(**row.pop("cost"))
        rows.append(row)
    table = pl.DataFrame(rows)
    table.select(sorted(table.columns)).write_parquet(task.out / "sizes.parquet")
    best = f"best_of_{held_out.pool.samples}"
    means = {row["solutions"]: sum(row[best]) / len(row[best]) for row in rows}
    return Outcome(
        {
            **{f"{best} {n} solutions": mean for n, mean in means.items()},
            "rated_steps": rows[-1]["steps"],
            "right": rows[-1]["right"],
        },
        cost,
        len(rows),
    )


def _scores(task: Task, config: ActiveArmConfig) -> pl.DataFrame:
    if "scores" not in task.inputs:
        return pl.DataFrame()
    table = pl.read_parquet(task.inputs["scores"] / "scores.parquet")
    return table.select(
        "solution_id", score=pl.col(f"{config.setting}_score"), doubt=pl.col(f"{config.setting}_doubt")
    )


def _prefixed(task: Task, prefix: str) -> Any:
    return lambda line: task.progress(prefix + line)


def _read(path: Path | None) -> dict[str, Any] | None:
    """What was kept of a size; it was written whole or not at all."""
    if path is None or not path.exists():
        return None
    row: dict[str, Any] = json.loads(path.read_text())
    return row


# ablations/active/scores_<seed>: what the selectors think of every different solution of the pool.
#
# scratch: a PRM trained on one solution a problem, of a few problems (Lightman et al. 2023, section 4.2). added: the
# PRM of phase 1. Writes scores.parquet: solution_id, and of both selectors score (product) and doubt.
#


def make_scores(task: Task, config: ActiveSelectorConfig) -> Outcome:
    """Inputs: pool (solutions), train (problems), generator, prm (of phase 1)."""
    from o1_assets.engine.checkpoint import load_tokenizer
    from o1_assets.reward.model import PRM_CLASSES, load_reward_model
    from o1_assets.reward.score import open_generator

    problems = problems_of(pl.read_parquet(task.inputs["train"] / "problems.parquet"))
    samples = pl.read_parquet(task.inputs["pool"] / "solutions.parquet")
    tokenizer, generator = load_tokenizer(task.inputs["generator"]), open_generator(task.inputs["generator"])
    first = draw(samples, 1, derive_seed(task.seed, "first")).head(config.solutions)
    train_set = pack_examples(
        examples(first, problems, tokenizer, config.prm.prompt, 0), generator, config.prm
    )
    selector, _, cost = train_reward_model(
        task.inputs["generator"],
        train_set,
        PRM_CLASSES,
        config.prm,
        task.seed,
        task.progress,
        Checkpoints.of(task),
    )
    different = samples.sort("problem_id", "sample").unique(SAME, keep="first", maintain_order=True)
    questions = {name: str(problem["question"]) for name, problem in problems.items()}
    task.progress(f"scores {different.height} different solutions of {samples.height}")
    packed = pack_solutions(different, questions, tokenizer, generator, config.prm)
    cost += reading_cost(generator, packed.tokens) if config.prm.probability_feature else Cost()
    models = {"scratch": selector, "added": load_reward_model(task.inputs["prm"]).to(generator.device)}
    figures: Figures = {
        "pool": samples.height,
        "different": different.height,
        "correct": samples.select(pl.col("correct").mean()).item(),
        "selector_solutions": first.height,
    }
    table, right = different.select("solution_id"), different["correct"].to_numpy()
    for setting in SETTINGS:
        found = p_right(models[setting], packed)
        cost += reading_cost(models[setting].backbone, packed.tokens)
        score = pl.Series(f"{setting}_score", [float(p.prod()) if len(p) else 0.0 for p in found], pl.Float64)
        table = table.with_columns(
            score, pl.Series(f"{setting}_doubt", [doubt(p) for p in found], pl.Float64)
        )
        figures[f"{setting}_auc"] = area_under_curve(score.to_numpy(), right)
    table.write_parquet(task.out / "scores.parquet")
    return Outcome(figures, cost, table.height)
