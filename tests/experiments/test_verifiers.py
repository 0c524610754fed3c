"""Verifiers that learn from the same solutions, and what their scores are worth."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.settings import Settings
from o1_assets.evaluation.best_of_n import MAJORITY
from o1_assets.experiments.pools.config import PoolConfig
from o1_assets.experiments.pools.measure import make_pool
from o1_assets.experiments.result import read_result
from o1_assets.experiments.verifiers import config as arms
from o1_assets.experiments.verifiers import measure as train
from o1_assets.experiments.verifiers.compared import agreement, score_compared, work_again
from o1_assets.experiments.verifiers.config import (
    AgainConfig,
    ComparedConfig,
    ScoresConfig,
    TrainingConfig,
    VerifiersConfig,
    VerifiersResultConfig,
)
from o1_assets.experiments.verifiers.measure import (
    ALL,
    PART,
    SCHEMA,
    kept,
    make_labelled,
    score_pools,
    values,
)
from o1_assets.experiments.verifiers.result import claims, differences, make_result
from o1_assets.graph import build_graph
from o1_assets.profiles.load import load_profile
from o1_assets.reward.config import ORMConfig, PRMConfig, VerifierConfig
from o1_assets.rounds.config import SelectionConfig
from tests.evaluation.conftest import Pupil

CONFIG = VerifiersConfig(
    sizes=(4, 8), compared=(8,), updates=2, n=4, problems=3, subsets=10, starts=("grown",)
)


TRAININGS = arms.trainings(CONFIG, PRMConfig(batch_size=2), ORMConfig(batch_size=2))


RESULT = VerifiersResultConfig(
    sizes=(4, 8),
    compared=(8,),
    seeds=2,
    n=4,
    problems=3,
    subsets=10,
    resamples=50,
    compared_arms=arms.compared_arms(CONFIG),
)


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path], test_problems: Path
) -> dict[str, Path]:
    """A pool, and solutions of the same problems with their labels."""
    root = tmp_path_factory.mktemp("verifiers")
    generator = {"generator": checkpoints["generator"]}
    (root / "pool").mkdir()
    make_pool(
        Task({**generator, "problems": test_problems}, root / "pool", 5, open_engine=Pupil),
        PoolConfig(problems=5, samples=8, prompt=PromptFormat(max_tokens=64)),
    )
    (root / "labelled").mkdir()
    pool = root / "pool"
    make_labelled(
        Task(
            {"solutions": pool, "policy": checkpoints["generator"], "train": test_problems},
            root / "labelled", 7, open_engine=Steps,
        ),
        SelectionConfig(strategy="uniform", solutions=10, per_problem=4, completions=2, max_step_tokens=16),
    )  # fmt: skip
    return {
        **generator, "init": checkpoints["generator"], "train": test_problems, "solutions": pool, "pool": pool,
        "labelled": root / "labelled", "large": checkpoints["prm_00"],
    }  # fmt: skip


class Steps(Pupil):
    """Alternatives of a step: a sum that is wrong."""

    def sample(self, prompts: Any, params: Any, seeds: Any) -> list[Any]:
        from o1_assets.core.engine import Sample

        tokens = self.tokenizer("1+1=3\n")["input_ids"]
        return [Sample(list(tokens), [0.0] * len(tokens), True) for _ in prompts]


def trained(world: dict[str, Path], folder: Path, config: TrainingConfig, seed: int = 1) -> dict[str, Any]:
    folder.mkdir()
    task = Task(world, folder, seed, open_engine=lambda path: pytest.fail(str(path)))
    return train.train_verifier(task, config).figures


def test_labels_are_the_checker_s_and_end_at_the_first_wrong_step(world: dict[str, Path]) -> None:
    labels = pl.read_parquet(world["labelled"] / "labels.parquet")
    assert labels["solution_id"].n_unique() >= 8 and set(labels["rating"]) >= {-1, 1}
    assert (labels.filter(pl.col("completion") > 0)["rating"] == -1).all()
    own = labels.filter(pl.col("completion") == 0).sort("solution_id", "step")
    for ratings in own.group_by("solution_id", maintain_order=True).agg("rating")["rating"]:
        assert all(rating >= 0 for rating in ratings[:-1])


def test_equal_seeds_learn_from_equal_solutions_and_fewer_are_part_of_more(world: dict[str, Path]) -> None:
    chosen = pl.read_parquet(world["labelled"] / "solutions.parquet")
    labels = pl.read_parquet(world["labelled"] / "labels.parquet")

    def ids(count: int, seed: int) -> list[str]:
        return train.draw(chosen, labels, count, seed)["solution_id"].to_list()

    assert ids(8, 1)[:4] == ids(4, 1) != ids(4, 2)
    assert len(ids(99, 1)) == chosen.height >= 8


@pytest.mark.parametrize("arm", [arms.prm(4), arms.orm(8), arms.EVERY, arms.bare(8)])
def test_an_arm_learns_from_as_many_solutions_as_its_name_says(
    world: dict[str, Path], tmp_path: Path, arm: str
) -> None:
    figures = trained(world, tmp_path / "out", TRAININGS[arm])
    wanted = {arms.prm(4): 4, arms.orm(8): 8, arms.EVERY: 40, arms.bare(8): 8}[arm]
    assert figures["trained_solutions"] == figures["solutions"] == wanted
    assert figures["updates"] == CONFIG.updates


def test_the_large_prm_says_what_is_wrong_and_labels_end_there(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o1_assets.reward.score import Scorer

    solutions = pl.read_parquet(world["labelled"] / "solutions.parquet").sort("solution_id").head(3)

    def judged(self: Scorer, prompts: Any, completions: Any) -> list[Any]:
        """The first solution is fine, the second one's second step is not, of the third nothing."""
        found = [np.tile([0.2, 0.4, 0.4], (len(steps), 1)) for steps in solutions["steps"]]
        found[1][1] = found[2][0] = [0.21, 0.0, 0.79]
        return found

    monkeypatch.setattr(Scorer, "step_probabilities", judged)
    task = Task(world, tmp_path, 1, open_engine=Pupil)
    table, _ = train.rate_with_large_prm(task, solutions, TRAININGS[arms.large_process(8)])
    by_solution = table.group_by("solution_id", maintain_order=True).agg("rating")["rating"].to_list()
    assert by_solution == [[1] * len(solutions["steps"][0]), [1, -1], [-1]]
    assert train.called_right(solutions, table).to_list() == [True, False, False]


def test_outcomes_by_the_large_prm_replace_the_final_answers(
    world: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "called_right", lambda solutions, labels: pl.Series([True] * solutions.height))
    figures = trained(world, tmp_path / "large", TRAININGS[arms.large_outcome(8)])
    assert (figures["labels_right"], figures["labels_wrong"]) == (8, 0)
    told = trained(world, tmp_path / "answer", TRAININGS[arms.orm(8)])
    assert told["labels_wrong"] > 0


@pytest.fixture(scope="module")
def judged(
    world: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, Path]
) -> dict[str, Path]:
    """Scores of models that all are one and the same PRM or ORM."""
    root = tmp_path_factory.mktemp("judged")
    models = {
        arm: checkpoints["orm" if isinstance(config.training, ORMConfig) else "prm_00"]
        for arm, config in TRAININGS.items()
    }
    config = ScoresConfig(
        arms=tuple(arm for arm in TRAININGS if arm != arms.started("grown")),
        main=(arms.prm(8), arms.EVERY), problems=3, samples=4, prompt=PromptFormat(),
    )  # fmt: skip
    pools = {"test": world["pool"], "ood": world["pool"]}
    (root / "scores_0").mkdir()
    score_pools(
        Task({**models, **pools, "generator": world["generator"]}, root / "scores_0", 0, Pupil), config
    )
    shutil.copytree(root / "scores_0", root / "scores_1")
    for name in ("compared_0", "works_again", "out"):
        (root / name).mkdir()
    compared = ComparedConfig(arms=tuple(RESULT.compared_arms), problems=3, step_samples=2)
    of_generator = {"generator": world["generator"], "test": world["pool"]}
    score_compared(Task({**models, **of_generator}, root / "compared_0", 0, Pupil), compared)
    shutil.copytree(root / "compared_0", root / "compared_1")
    again = AgainConfig(samples=2, max_step_tokens=16, temperature=1.0, problems=3, step_samples=2)
    outcome = work_again(Task(of_generator, root / "works_again", 0, Steps), again)
    scores = {
        f"{name}_{seed}": root / f"{name}_{seed}" for name in ("scores", "compared") for seed in range(2)
    }
    task = Task({**pools, **scores, "works_again": root / "works_again"}, root / "out", 3, Pupil)
    task.ancestry = lambda name: [("ablations/verifiers/works_again", outcome)]
    make_result(task, RESULT)
    return {**scores, "out": root / "out"}


def test_scores_are_those_of_the_scorer(
    world: dict[str, Path], judged: dict[str, Path], checkpoints: dict[str, Path]
) -> None:
    from o1_assets.reward.aggregate import solution_score
    from o1_assets.reward.score import load_scorer

    scorer = load_scorer(checkpoints["prm_00"], checkpoints["generator"], checkpoints["orm"])
    table = pl.read_parquet(world["pool"] / "solutions.parquet")
    problems = dict(
        pl.read_parquet(world["pool"] / "problems.parquet").select("problem_id", "question").iter_rows()
    )
    prompts = [scorer.tokenizer(problems[p] + "\n")["input_ids"] for p in table["problem_id"]]
    steps, outcomes = scorer.score_both(prompts, table["token_ids"].to_list())
    scores = pl.read_parquet(judged["scores_0"] / "test.parquet")
    assert scores["sample"].to_list() == table["sample"].to_list()
    assert scores[arms.prm(8)].to_list() == pytest.approx([solution_score(s) for s in steps], abs=1e-4)
    assert scores[f"{arms.prm(8)}:minimum:wrong"].to_list() == pytest.approx(
        [solution_score(s, "minimum", "wrong") for s in steps], abs=1e-4
    )
    assert scores[arms.EVERY].to_list() == pytest.approx(outcomes, abs=1e-4)
    part = pl.read_parquet(judged["scores_0"] / "test_part.parquet")
    assert part.height == 3 * 4 and arms.prm(8) not in part.columns and arms.prm(4) in part.columns


def test_equal_models_do_not_differ_and_every_accuracy_can_be_traced(judged: dict[str, Path]) -> None:
    result = read_result(judged["out"])
    table = pl.read_parquet(judged["out"] / "accuracy.parquet")
    by_name = {claim.name: claim for claim in result.claims}
    assert {
        "prm_minus_orm@4",
        "prm_minus_majority@4",
        "prm_minus_orm@4_ood",
        "prm_minus_majority@4_ood",
    } <= set(by_name)
    assert by_name["probability_feature_gain@4"].value == 0.0, "the same model twice"
    assert by_name["large_outcome_minus_answer@4"].value == 0.0
    prm, majority = (values(table, "test", ALL, name, 4) for name in (arms.prm(8), MAJORITY))
    assert by_name["prm_minus_majority@4"].value == pytest.approx(float((prm - majority).mean()))
    assert by_name["prm_minus_orm@4"].target == 0.05 and by_name["prm_minus_majority@4_ood"].target == 0.10
    assert set(result.charts) == {
        "best_of_n_test", "best_of_n_ood", "labels_test", "labels_ood", "controlled", "compared"
    }  # fmt: skip
    kinds = result.tables["ood_kinds"].frame
    assert kinds["problems"].sum() == 5 and kinds["PRM"][0] == pytest.approx(
        values(table, "ood", ALL, arms.prm(8), 4).mean()
    )
    assert result.tables["best_of_n_test"].frame.columns == ["choice", "N=1", "N=2", "N=4", "N=8"]


def test_prms_that_differ_in_their_start_are_judged_by_their_steps_and_by_all_samples(
    judged: dict[str, Path],
) -> None:
    frame = read_result(judged["out"]).tables["compared"].frame
    by_arm = {row["verifier"]: row for row in frame.iter_rows(named=True)}
    prms = [arms.prm(8), arms.FROM_GENERATOR, arms.bare(8), arms.started("grown")]
    assert list(by_arm) == [*prms, arms.WORKS_AGAIN]
    prm, again = by_arm[prms[0]], by_arm[arms.WORKS_AGAIN]
    assert [c for c in frame.columns if c.startswith("N=")] == ["N=1", "N=2", "N=4", "N=8"]
    assert prm["N=8"] == by_arm[prms[3]]["N=8"], "the same model twice"
    assert 0 < prm["step auc"] < 1 and prm["fall"] >= 0 and prm["step f1"] is not None
    # The pupil's alternatives are wrong sums, so that no step of a solution is ever confirmed.
    assert again["step auc"] == 0.5 and again["generated tokens a solution"] > 0
    claimed = {claim.name for claim in read_result(judged["out"]).claims}
    assert {f"hard_step_auc.{arm}" for arm in by_arm} <= claimed and "new_layers_gain@8" not in claimed


def test_works_again_agrees_with_the_steps_that_are_sampled_again(
    world: dict[str, Path], checkpoints: dict[str, Path]
) -> None:
    table = pl.read_parquet(world["pool"] / "solutions.parquet").head(6)
    engine = Again(checkpoints["generator"], table)
    prompts = [engine.tokenizer("7")["input_ids"]] * table.height
    config = AgainConfig(samples=4, max_step_tokens=16, temperature=1.0, problems=3, step_samples=2)
    classes, tokens = agreement(engine, prompts, table, config, 1)
    first = table["steps"][0]
    assert [round(float(c), 3) for c in classes[0][:, 2]] == [0.7] * len(first)  # 3 of 4, smoothed
    prefixes = {
        (p, *s[:i]) for p, s in table.select("problem_id", "steps").iter_rows() for i in range(len(s))
    }
    assert engine.asked == 4 * len(prefixes), "equal prefixes share their samples"
    assert tokens == engine.written > 0


class Again(Pupil):
    """Writes the first solution's next step in three samples of four."""

    def __init__(self, folder: Path, table: pl.DataFrame) -> None:
        super().__init__(folder)
        self.table, self.asked, self.written = table, 0, 0

    def sample(self, prompts: Any, params: Any, seeds: Any) -> list[Any]:
        from o1_assets.core.engine import Sample

        assert len(set(seeds)) == len(seeds)
        self.asked = len(prompts)
        steps = self.table["steps"][0]
        samples = []
        for number, prompt in enumerate(prompts):
            written = self.tokenizer.decode(prompt).replace(" ", "").count("\n")
            text = steps[written] if number % 4 and written < len(steps) else "answer 99"
            tokens = self.tokenizer(text + "\n")["input_ids"]
            self.written += len(tokens)
            samples.append(Sample(list(tokens), [], True))
        return samples


def test_without_a_large_prm_nothing_is_compared_with_what_it_supervises() -> None:
    alone = differences(RESULT.model_copy(update={"compared": ()}))
    assert {d.name for d in differences(RESULT)} - {d.name for d in alone} == {
        "process_minus_outcome", "process_minus_answer", "large_outcome_minus_answer",
    }  # fmt: skip
    trained = arms.trainings(VerifiersConfig(), PRMConfig(), ORMConfig())
    assert {s for d in alone for s in (d.better, d.worse) if s.startswith(("prm_8", "orm_8"))} and not [
        name for name in trained if "by_large" in name
    ]


def test_a_claim_is_the_difference_of_what_it_names() -> None:
    """Every selector has an accuracy of its own; a PRM that is worse than its rivals makes negative claims."""
    names = sorted({s for d in differences(RESULT) for s in (d.better, d.worse)})
    level = {name: 0.3 + 0.01 * i for i, name in enumerate(names)}
    level[arms.prm(8)] = 0.2
    rows = [
        (pool, problems, name, seed, 4, level[name], [level[name]] * 3)
        for pool in ("test", "ood") for problems in (ALL, PART) for name in names for seed in range(2)
    ]  # fmt: skip
    found = {c.name: c for c in claims(pl.DataFrame(rows, schema=SCHEMA, orient="row"), RESULT, 1)}
    for difference in differences(RESULT):
        claim = found[f"{difference.name}@4"]
        assert claim.value == pytest.approx(level[difference.better] - level[difference.worse])
    assert (found["prm_minus_orm@4"].value or 0) < 0 and (found["prm_minus_orm@4"].high or 0) < 0
    with pytest.raises(KeyError, match="was not measured"):
        values(pl.DataFrame(rows, schema=SCHEMA, orient="row"), "test", ALL, "nobody", 4)


def test_starts_differ_in_one_thing_and_the_profile_s_own_is_not_made_twice(tmp_path: Path) -> None:
    own = VerifierConfig(new_layers=2)
    config = VerifiersConfig(homework_pages=9, starts=tuple(arms.STARTS))
    starts = arms.start_configs(config, own)
    assert {start.homework.pages for start in starts.values()} == {9}
    assert (starts["homework_same_size"].new_layers, starts["grown_larger"].new_layers) == (0, 8)
    assert starts["grown"].new_layers == 2
    scales = [starts[name].homework.marker_scale for name in ("exact_marks", "marks_as_writers")]
    assert scales == [0.0, 1.0]
    assert starts["single_operations"].homework.drill_share == 1.0
    settings = Settings.load("nano", str(tmp_path))
    changed = 'ablations.verifiers.starts=["grown"]'
    graph = build_graph(load_profile("nano", changed), settings)
    inputs = {arm: graph[f"ablations/verifiers/{arm}_0"].inputs["init"] for arm in ("prm_100", "prm_grown")}
    assert set(inputs.values()) == {"base/verifier"} and "ablations/verifiers/start_grown" not in graph


def test_no_training_reads_a_held_out_problem_and_seeds_are_shared(tmp_path: Path) -> None:
    every = {"sizes": [100, 300, 1000], "compared": [100, 1000], "starts": list(arms.STARTS)}
    settings = "\n".join(f"ablations.verifiers.{name}={json.dumps(value)}" for name, value in every.items())
    graph = build_graph(load_profile("nano", settings), Settings.load("nano", str(tmp_path)))
    own = {key: a for key, a in graph.items() if key.startswith("ablations/verifiers/")}
    trainings = [a for a in own.values() if isinstance(a.config, TrainingConfig)]
    starts = {a.key: a for a in own.values() if "/start_" in a.key}
    assert len(starts) == 6 and len({a.seed for a in starts.values()}) == 1
    assert len(trainings) == 3 * 20 and len(own) == 3 * 20 + 2 * 3 + 3 + 6
    init = {
        arm: own[f"ablations/verifiers/{arm}_0"].inputs["init"]
        for arm in arms.compared_arms(load_profile("nano", settings).ablations.verifiers)
    }
    assert init[arms.bare(1000)] == init[arms.FROM_GENERATOR] == "generator/model"
    assert init[arms.prm(1000)] == init[arms.started("grown")] == "base/verifier"
    assert init[arms.started("grown_larger")] == "ablations/verifiers/start_grown_larger"
    assert {
        own[f"ablations/verifiers/{arms.started(a)}_0"].config.training.probability_feature  # type: ignore[attr-defined]
        for a in arms.STARTS
    } == {False}
    held_out = {"problems/test", "problems/ood", "ablations/pools/test", "ablations/pools/ood"}
    assert all(held_out.isdisjoint(a.inputs.values()) for a in trainings)
    configs = [a.config for a in own.values() if isinstance(a.config, TrainingConfig)]
    assert {config.training.updates for config in configs} == {240}
    assert len({a.seed for a in trainings}) == 3
    large = [a for a in trainings if "large" in a.inputs]
    assert len(large) == 12 and {a.inputs["large"] for a in large} == {"r10/prm"}


class Killed(Exception):
    pass


def test_a_killed_computation_makes_only_what_is_missing(tmp_path: Path) -> None:
    made: list[str] = []

    def whole(task: Task, killed_at: str = "") -> pl.DataFrame:
        tables = []
        for name in ("one", "two"):

            def make(name: str = name) -> tuple[pl.DataFrame, Cost]:
                if name == killed_at:
                    raise Killed
                made.append(name)
                return pl.DataFrame({"name": [name], "values": [[0.5, 1.5]]}), Cost(flops=7)

            table, cost = kept(task, name, make)
            assert cost == Cost(flops=7)
            tables.append(table)
        return pl.concat(tables)

    task = Task({}, tmp_path / "out", 0, open_engine=Pupil, unfinished=tmp_path / "unfinished")
    with pytest.raises(Killed):
        whole(task, killed_at="two")
    found = whole(task)
    assert made == ["one", "two"]
    assert found.equals(whole(Task({}, tmp_path / "out", 0, open_engine=Pupil)))
