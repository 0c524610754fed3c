"""rNN/q_value: the chance of a right end from here on, learned from the newest policy's own solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.artifact import Cost, Outcome, Task
from o1_assets.flops import flops_generate, flops_score, flops_train, non_embedding_parameters
from o1_assets.qvalue.calibration import brier_score, calibration, calibration_error
from o1_assets.qvalue.collect import Solved, collect
from o1_assets.qvalue.config import QValueConfig
from o1_assets.qvalue.targets import bootstrapped, returns
from o1_assets.reward.dataset import held_out
from o1_assets.reward.tree import Row, StepSequence, pack
from o1_assets.search.run import Thinker
from o1_assets.seeds import derive_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel

ROW_TOKENS = 192


@dataclass
class Material:
    """Trees as rows of tokens. where[tree][node index] is the row and the token at which that node ends."""

    rows: list[Row]
    features: list[NDArray[np.float32]] | None
    where: list[dict[int, tuple[int, int]]]

    def labels(self, targets: Sequence[Mapping[int, float]]) -> list[NDArray[np.float32]]:
        """For each row, shape (n,): the target of the node that ends at a token, NaN elsewhere."""
        labels = [np.full(len(row), np.nan, dtype=np.float32) for row in self.rows]
        for places, wanted in zip(self.where, targets, strict=True):
            for node, target in wanted.items():
                row, token = places[node]
                labels[row][token] = target
        return labels


def make_q_value(task: Task, config: QValueConfig) -> Outcome:
    """Inputs: policy, generator, prm, init (an ORM, or a Q-value model before), train (problems).

    Writes a reward model of two classes, which is asked at the end of any step; calibration.parquet.
    """
    import torch

    from o1_assets.problems.answers import extract_answer
    from o1_assets.reward.model import ORM_CLASSES, save_reward_model, start_reward_model
    from o1_assets.reward.score import load_scorer
    from o1_assets.training.tuning import finish, prepare

    torch.manual_seed(derive_seed(task.seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    model = start_reward_model(task.inputs["init"], ORM_CLASSES, edges, config.tuning.weights)
    prepare(model.backbone, config.tuning, derive_seed(task.seed, "lora"), also=model.new_modules())
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
    problems = pl.read_parquet(task.inputs["train"] / "problems.parquet").sort("problem_id")
    problems = problems.sample(min(config.problems, problems.height), seed=derive_seed(task.seed, "problems"))
    policy = task.open_engine(task.inputs["policy"])
    thinker = Thinker(
        policy,
        scorer,
        answer_of=lambda step: extract_answer(step, config.answer_prefix),
        temperature=config.temperature,
    )
    task.progress(
        f"{problems.height} problems, {config.chains} chains and a tree of {config.tree_tokens} tokens each"
    )
    solved = collect(problems.to_dicts(), thinker, config, task.seed)
    generated = sum(s.tree.tokens_generated for s in solved)
    material, cost = _material(solved, scorer.tokenizer, scorer.generator if edges else None, config)
    cost += scorer.cost() + Cost(flops_generate(policy.parameters, generated), tokens_generated=generated)
    policy.close()

    trained = [i for i, s in enumerate(solved) if not held_out(s.problem_id, config.holdout)]
    judged = [i for i in range(len(solved)) if i not in set(trained)]
    history, tokens = _learn(model, material, solved, trained, config, task)
    finish(model.backbone, config.tuning)
    save_reward_model(model, task.inputs["init"], task.out)
    size = non_embedding_parameters(model.backbone)
    looked = sum(len(row) for row in material.rows) * (config.iterations + 1)
    cost += Cost(flops_train(size, tokens, config.tuning.lora is not None), tokens_trained=tokens)
    cost += Cost(flops_score(size, looked), tokens_scored=looked)
    return Outcome(
        figures={
            "problems": problems.height,
            "solutions": sum(len(s.tree.ends) for s in solved),
            "steps": sum(len(places) for places in material.where),
            "loss_first": history[0][1],
            "loss_last": history[-1][1],
            **_judge(model, material, solved, judged, config, task),
        },
        cost=cost,
        rows=len(solved),
    )


def _material(
    solved: Sequence[Solved],
    tokenizer: PreTrainedTokenizerBase,
    generator: PreTrainedModel | None,
    config: QValueConfig,
) -> tuple[Material, Cost]:
    """All trees as packed rows, and the generator's pass over them if the model reads it."""
    from o1_assets.reward.predict import place_features

    rows: list[Row] = []
    paths: list[list[StepSequence]] = []
    where: list[dict[int, tuple[int, int]]] = []
    for one in solved:
        nodes, sequences = _leaves(one, tokenizer)
        places: dict[int, tuple[int, int]] = {}
        for row in pack([sequence.tokens for sequence in sequences], ROW_TOKENS):
            for index, path in row.paths.items():
                for node, end in zip(nodes[index], sequences[index].ends, strict=True):
                    places.setdefault(node, (len(rows), int(path[end])))
            rows.append(row)
            paths.append(sequences)
        where.append(places)
    if generator is None:
        return Material(rows, None, where), Cost()
    tokens = sum(len(row) for row in rows)
    features = place_features(generator, rows, paths, config.score_tokens)
    cost = Cost(flops_score(non_embedding_parameters(generator), tokens), tokens_scored=tokens)
    return Material(rows, features, where), cost


def _leaves(solved: Solved, tokenizer: PreTrainedTokenizerBase) -> tuple[list[list[int]], list[StepSequence]]:
    """Every path of the tree to a node without whole children: the indices of its nodes, and its tokens."""
    from o1_assets.engine.steps import close_last

    prompt = tuple(solved.tree.prompt_ids)
    nodes, sequences = [], []
    for node in solved.tree.nodes[1:]:
        if node.cut or any(not child.cut for child in node.children):
            continue
        path = node.path()
        tokens, ends = list(prompt), []
        for step in path:
            own = [token for token in step.token_ids if token != tokenizer.eos_token_id]
            tokens += own
            ends.append(len(tokens) - 1)
        nodes.append([step.index for step in path])
        tokens, ends = close_last(tokens, ends, tokenizer)
        sequences.append(StepSequence(tuple(tokens), len(prompt), tuple(ends)))
    return nodes, sequences


def _learn(
    model: RewardModel,
    material: Material,
    solved: Sequence[Solved],
    trained: Sequence[int],
    config: QValueConfig,
    task: Task,
) -> tuple[list[tuple[int, float]], int]:
    """Fits returns, then again and again the targets that the model itself sets. Returns the losses and the tokens."""
    from o1_assets.reward.fit import fit

    own = set(trained)
    targets = [
        {node: found.mean for node, found in returns(s).items()} if i in own else {}
        for i, s in enumerate(solved)
    ]
    history: list[tuple[int, float]] = []
    tokens = 0
    for iteration in range(config.iterations + 1):
        if iteration:
            found = _values(model, material, config)
            targets = [bootstrapped(s, found[i]) if i in own else {} for i, s in enumerate(solved)]
        labels = material.labels(targets)
        rows = [r for r, row in enumerate(labels) if not np.isnan(row).all()]
        updates = config.iteration_updates if iteration else config.updates
        order = np.random.default_rng(derive_seed(task.seed, "order", iteration))
        wanted = updates * config.batch_size
        drawn = np.concatenate([order.permutation(rows) for _ in range(-(-wanted // len(rows)))])[:wanted]
        features = material.features
        items = [(material.rows[r], labels[r], features[r] if features else None) for r in drawn.tolist()]
        losses = fit(model, items, config, derive_seed(task.seed, "fit", iteration), task.progress)
        history += [(update + (history[-1][0] if iteration else 0), loss) for update, loss in losses]
        tokens += sum(len(material.rows[r]) for r in drawn.tolist())
    return history, tokens


def _values(model: RewardModel, material: Material, config: QValueConfig) -> list[dict[int, float]]:
    """For each tree node index -> Q."""
    from o1_assets.reward.predict import predict

    (found,) = predict([model], material.rows, material.features, config.score_tokens)
    return [
        {node: float(found[row][token, 1]) for node, (row, token) in places.items()}
        for places in material.where
    ]


def _judge(
    model: RewardModel,
    material: Material,
    solved: Sequence[Solved],
    judged: Sequence[int],
    config: QValueConfig,
    task: Task,
) -> dict[str, float | int | str | None]:
    """On problems that it was not trained on: the predicted chance against how often the chains ended right."""
    from o1_assets.evaluation.plots import GREY, Axis, Series, save_png
    from o1_assets.reward.judge import area_under_curve

    values = _values(model, material, config)
    predicted, happened, weight = [], [], []
    for i in judged:
        for node, found in ({} if solved[i].searched else returns(solved[i])).items():
            if node in values[i]:
                predicted.append(values[i][node])
                happened.append(found.mean)
                weight.append(found.ends)
    p, h, w = (np.array(x, dtype=np.float64) for x in (predicted, happened, weight))
    table = calibration(p, h, w, config.bins)
    table.write_parquet(task.out / "calibration.parquet")
    if table.height > 1:
        diagonal = [0.0, 1.0]
        save_png(
            task.out / "plots" / "calibration.png",
            [
                Series("Q-value model", table["predicted"].to_list(), table["happened"].to_list()),
                Series("perfect", diagonal, diagonal, GREY, style="dashed"),
            ],
            Axis("Chance of a right answer from a step on", "predicted", "came true", percent=True),
        )
    return {
        "held_out_steps": len(predicted),
        "calibration_error": calibration_error(table),
        "brier": brier_score(p, h, w),
        "auc": area_under_curve(p, h > 0.5),
    }
