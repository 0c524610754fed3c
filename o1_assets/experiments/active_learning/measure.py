"""The experiment's measurements: what the selectors think of the pool, and PRMs on more and more chosen labels.

Both train PRMs on labels of the exact checker, and keep none of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Figures, Outcome, Task
from o1_assets.core.files import json_bytes, replace_file
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.engine.training.checkpoint import Checkpoints
from o1_assets.evaluation.best_of_n import NO_ANSWER, Pool, expected_best_of_n, fooled_on_pool, powers_of_two
from o1_assets.evaluation.steps import NO_ERROR, cross_fitted_f1
from o1_assets.experiments.active_learning.config import (
    SETTINGS,
    ActiveArmConfig,
    ActiveSelectorConfig,
    Strategy,
)
from o1_assets.labels.annotators.exact_checker import covers, first_error, rate_steps
from o1_assets.reward.aggregate import right_probabilities
from o1_assets.reward.config import PRMConfig
from o1_assets.reward.dataset import Example, prm_examples, step_sequence
from o1_assets.reward.read import PackedSequences, pack_sequences, read_steps, reading_cost
from o1_assets.reward.train import PackedExamples, area_under_curve, pack_examples, train_reward_model
from o1_assets.rounds.choose import choose_mistaken

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


# problem_id -> its row.
Problems = Mapping[str, Mapping[str, Any]]

# Samples that are equal in these are one solution, which is labelled only once.
SAME = ("problem_id", "text")

# Rounds, as the sampler counts them: what is newest has its own share of every batch.
REPLAY, CHOSEN = 0, 1


@dataclass(frozen=True)
class World:
    """What every training of the experiment shares. problems: of train, id -> row; samples: the pool to choose from."""

    problems: Problems
    samples: pl.DataFrame
    tokenizer: PreTrainedTokenizerBase
    generator: PreTrainedModel
    config: PRMConfig

    @classmethod
    def open(cls, task: Task, config: PRMConfig) -> World:
        """Inputs: pool (solutions), train (problems), generator."""
        from o1_assets.engine.checkpoint import load_tokenizer
        from o1_assets.reward.score import open_generator

        return cls(
            problems_of(read_parquet(task.inputs["train"] / "problems.parquet")),
            read_parquet(task.inputs["pool"] / "solutions.parquet"),
            load_tokenizer(task.inputs["generator"]),
            open_generator(task.inputs["generator"]),
            config,
        )

    def pack(self, examples: Sequence[Example]) -> PackedExamples:
        return pack_examples(examples, self.generator, self.config)

    def pack_solutions(self, solutions: pl.DataFrame, problems: Problems) -> PackedSequences:
        """solutions: problem_id, steps. Packed once, and read by every PRM of an artifact."""
        sequences = [
            step_sequence(self.tokenizer, self.config.prompt.render(problems[problem]["question"]), steps)
            for problem, steps in solutions.select("problem_id", "steps").iter_rows()
        ]
        generator = self.generator if self.config.probability_feature else None
        return pack_sequences(sequences, generator, self.config.score_tokens)

    def examples(self, solutions: pl.DataFrame, round: int) -> list[Example]:
        """One a solution (problem_id, solution_id, steps), read no further than it is rated."""
        return examples(solutions, self.problems, self.tokenizer, self.config.prompt, round)


def make_scores(task: Task, config: ActiveSelectorConfig) -> Outcome:
    """ablations/active/scores_<seed>: what the selectors think of every different solution of the pool.

    Inputs: init (what is fine-tuned), pool (solutions), train (problems), generator, prm (of phase 1).

    The selector "scratch" is a PRM trained on one solution a problem, of a few problems (Lightman et al. 2023, section
    4.2), "added" the PRM of phase 1. Writes scores.parquet: solution_id, and of both selectors score (product) and
    doubt.
    """
    from o1_assets.reward.model import PRM_CLASSES, load_reward_model

    world = World.open(task, config.prm)
    samples, generator = world.samples, world.generator
    first = draw(samples, 1, derive_seed(task.seed, "first")).head(config.solutions)
    selector, _, cost = train_reward_model(
        task.inputs["init"],
        world.pack(world.examples(first, 0)),
        PRM_CLASSES,
        config.prm,
        task.seed,
        Checkpoints.of(task),
    )
    different = samples.sort("problem_id", "sample").unique(SAME, keep="first", maintain_order=True)
    task.progress(f"scores {different.height} different solutions of {samples.height}")
    # Equal solutions have equal scores.
    packed = world.pack_solutions(different, world.problems)
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
        chances = p_right(models[setting], packed)
        cost += reading_cost(models[setting].backbone, packed.tokens)
        # A solution without steps has no chance to be right; the empty product would be 1.
        scores = [float(p.prod()) if len(p) else 0.0 for p in chances]
        table = table.with_columns(
            pl.Series(f"{setting}_score", scores, pl.Float64),
            pl.Series(f"{setting}_doubt", [doubt(p) for p in chances], pl.Float64),
        )
        figures[f"{setting}_auc"] = area_under_curve(np.array(scores), right)
    table.write_parquet(task.out / "scores.parquet")
    return Outcome(figures, cost, table.height)


def make_arm(task: Task, config: ActiveArmConfig) -> Outcome:
    """ablations/active/<setting>_<strategy>_<seed>: PRMs on more and more labels that one strategy chose.

    Inputs: init (what is fine-tuned), generator, pool and held_out (solutions), train and test (problems), scores
    (but for uniform), labels (of phase 1, replayed, where they are added to).

    Writes sizes.parquet, a row a size: solutions, right (share with the right answer), steps (rated), and what
    `HeldOut.measure` gives. Where a killed training continues, the sizes that are done are read again.
    """
    world = World.open(task, config.prm)
    test = problems_of(read_parquet(task.inputs["test"] / "problems.parquet"))
    held_out = HeldOut.of(
        read_parquet(task.inputs["held_out"] / "solutions.parquet"), test, world, config.step_samples
    )
    replay = []
    if "labels" in task.inputs:
        labels = read_parquet(task.inputs["labels"] / "labels.parquet")
        replay = [world.pack(prm_examples(labels, world.tokenizer, config.prm.prompt, REPLAY))]
    measure_size = partial(_measure_size, task, config, world, held_out, _scores(task, config), replay)
    rows, cost = [], Cost()
    for n in config.sizes:
        finished = task.unfinished / f"size_{n}.json" if task.unfinished else None
        if finished is None:
            row = measure_size(n)
        else:
            if not finished.exists():
                replace_file(finished, json_bytes(measure_size(n)))
            # Read again even when it was only just written: equal bytes, killed or not.
            row = json.loads(finished.read_text())
        cost += Cost(**row.pop("cost"))
        rows.append(row)
    table = pl.DataFrame(rows)
    table.select(sorted(table.columns)).write_parquet(task.out / "sizes.parquet")
    best = f"best_of_{held_out.pool.samples}"
    return Outcome(
        {
            **{f"{best} {row['solutions']} solutions": sum(row[best]) / len(row[best]) for row in rows},
            "rated_steps": rows[-1]["steps"],
            "right": rows[-1]["right"],
        },
        cost,
        len(rows),
    )


def _measure_size(
    task: Task,
    config: ActiveArmConfig,
    world: World,
    held_out: HeldOut,
    scores: pl.DataFrame,
    replay: Sequence[PackedExamples],
    n: int,
) -> dict[str, Any]:
    """The row of the PRM that n chosen solutions train, with its cost."""
    from o1_assets.reward.model import PRM_CLASSES

    def progress(line: str) -> None:
        task.progress(f"{n} solutions: {line}")

    chosen = choose(
        config.strategy,
        world.samples,
        scores,
        n,
        config.per_problem,
        config.wrong_share,
        config.choice_seed,
    )
    examples = world.examples(chosen, CHOSEN)
    model, _, cost = train_reward_model(
        task.inputs["init"],
        PackedExamples.concat([world.pack(examples), *replay]),
        PRM_CLASSES,
        config.prm,
        derive_seed(task.seed, "training", n),
        Checkpoints(task.unfinished / f"training_{n}" if task.unfinished else None, progress),
    )
    cost += reading_cost(model.backbone, held_out.packed.tokens)
    return {
        "solutions": n,
        "right": float(chosen.select(pl.col("correct").mean()).item()),
        "steps": sum(len(example.labels[0]) for example in examples),
        **held_out.measure(p_right(model, held_out.packed)),
        "cost": asdict(cost),
    }


def _scores(task: Task, config: ActiveArmConfig) -> pl.DataFrame:
    """solution_id, score and doubt by the selector of the arm's setting; nothing for uniform choice."""
    if "scores" not in task.inputs:
        return pl.DataFrame()
    table = read_parquet(task.inputs["scores"] / "scores.parquet")
    return table.select(
        "solution_id", score=pl.col(f"{config.setting}_score"), doubt=pl.col(f"{config.setting}_doubt")
    )


# Which solutions of the pool are labelled.


def doubt(p_right: NDArray[np.float64] | Sequence[float]) -> float:
    """How unsure a PRM is of a solution: 1 minus the confidence max(p, 1 - p) in its least certain step, from 0 (sure)
    to 0.5.

    The aleatoric uncertainty of ActPRM (arXiv:2504.10559): only steps up to the first predicted error count,
    because a label goes no further. There everything less confident than a threshold is labelled; here the number of
    labels is given, so the least confident come first. Their second measure, disagreement within an ensemble of
    heads, is left out. A solution without any step is not worth a label: 0.
    """
    p = np.asarray(p_right, dtype=np.float64)
    # The first predicted error itself counts: it is the last step that a labeller would rate.
    wrong = np.flatnonzero(p < 0.5)
    read = p[: wrong[0] + 1] if len(wrong) else p
    return float(1 - np.maximum(read, 1 - read).min()) if len(read) else 0.0


def draw(samples: pl.DataFrame, per_problem: int, seed: int) -> pl.DataFrame:
    """Samples in random order, each solution once, at most `per_problem` of a problem: a longer draw contains the
    shorter. What the policy writes often is drawn early, as in the paper, where no two samples are equal."""
    # Sorted first: the shuffle is then one of the content, not of the order that a file happens to have.
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

    uniform: `draw`. convincing_wrong: `rounds.choose.choose_mistaken`. uncertain: the highest doubt. Raises
    ValueError if the pool has fewer.
    """
    if strategy == "uniform":
        chosen = draw(samples, per_problem, seed).head(n)
    else:
        pool = samples.join(scores, on="solution_id", how="inner", maintain_order="left")
        if strategy == "convincing_wrong":
            chosen = choose_mistaken(pool, n, per_problem, wrong_share)
        else:
            # Ties are broken by the id, a hash: as good as random, and the same in every run.
            ranked = pool.sort(["doubt", "solution_id"], descending=[True, False])
            chosen = ranked.filter(pl.int_range(pl.len()).over("problem_id") < per_problem).head(n)
    if chosen.height < n:
        raise ValueError(
            f"the pool has {chosen.height} solutions to choose from, not {n}; set ablations.active.sizes lower, or "
            "per_problem, pool_problems or pool_samples higher"
        )
    return chosen


# The labels: the exact checker under the sparse protocol, to the first wrong step, without alternatives.


def problems_of(table: pl.DataFrame) -> Problems:
    """Raises ValueError where a problem cannot be rated by the exact checker."""
    rows = {row["problem_id"]: row for row in table.iter_rows(named=True)}
    unrated = next((name for name, row in rows.items() if not covers(row)), None)
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
        # A solution without a step teaches nothing.
        if not ratings:
            continue
        asked = prompt.render(problem["question"])
        sequence = step_sequence(tokenizer, asked, s["steps"][: len(ratings)])
        # Ratings -1, 0, +1 are the classes 0, 1, 2.
        classes = tuple(rating + 1 for rating in ratings)
        made.append(Example(s["problem_id"], s["solution_id"], round, (sequence,), (classes,)))
    return made


# A PRM on held-out problems: best of N, how often it is fooled, and whether it finds the first wrong step.


def p_right(model: RewardModel, packed: PackedSequences) -> list[NDArray[np.float64]]:
    """For each solution (steps,): P(step is right)."""
    (of_solutions,) = read_steps([model], packed)
    return [right_probabilities(classes) for classes in of_solutions]


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
    def of(cls, samples: pl.DataFrame, problems: Problems, world: World, step_samples: int) -> HeldOut:
        """samples: a solutions table, equally many of each problem; step_samples: rated ones of each problem."""
        ordered = samples.sort("problem_id", "sample")
        different = ordered.unique(SAME, keep="first", maintain_order=True).with_row_index("at")
        which = ordered.join(different.select(*SAME, "at"), on=SAME, how="left", maintain_order="left")["at"]
        # The checker rates every step; of a few samples a problem that is enough for F1.
        early = which.filter(ordered["sample"] < step_samples).unique().sort()
        rated = different[early.to_list()].filter(pl.col("steps").list.len() > 0)
        errors = [
            first_error(problems[problem], steps)
            for problem, steps in rated.select("problem_id", "steps").iter_rows()
        ]
        return cls(
            Pool.from_frame(ordered),
            world.pack_solutions(different, problems),
            which.cast(pl.Int64).to_numpy(),
            rated["at"].to_list(),
            [NO_ERROR if error is None else error for error in errors],
            rated["problem_id"].to_list(),
        )

    def measure(self, chances: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
        """best_of_<N>: lists, a value a problem, exact over all subsets; fooled: the share of wrong solutions with a
        score above that of the median right one; step_f1.

        chances: for each packed solution (steps,), P(step is right) by the PRM.
        """
        # The log of the product, because products of many steps underflow. A solution without steps gets -inf; its
        # empty product would be 1, the best score of all.
        logs = np.array([np.log(np.maximum(p, 1e-300)).sum() if len(p) else -np.inf for p in chances])
        scores = logs[self.which].reshape(self.pool.correct.shape)  # [P, M]
        # Without an answer a solution is chosen last, however good its steps, as `Pool.from_frame` has it.
        scores = np.where(self.pool.answers == NO_ANSWER, -np.inf, scores)
        measures: dict[str, Any] = {
            f"best_of_{n}": [
                expected_best_of_n(row, right, n)
                for row, right in zip(scores, self.pool.correct, strict=True)
            ]
            for n in sorted({*powers_of_two(self.pool.samples)[1:], self.pool.samples})
        }
        measures["fooled"] = fooled_on_pool(scores.ravel(), self.pool.correct.ravel())
        rated = [chances[i] for i in self.rated]
        measures["step_f1"] = cross_fitted_f1(rated, self.truth, self.groups)[0].f1
        return measures
