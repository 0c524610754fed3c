"""rNN/q_value: the chance that a solution ends right from a step on, learned from the newest policy's solutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.flops import flops_generate, flops_score, flops_train, non_embedding_parameters
from o1_assets.core.seeds import derive_seed
from o1_assets.core.tables import read_parquet
from o1_assets.reward.dataset import held_out
from o1_assets.reward.tree import ROW_TOKENS, Row, StepSequence, pack_steps
from o1_assets.search.q_value.calibration import calibrate, evaluate
from o1_assets.search.q_value.config import QValueConfig
from o1_assets.search.q_value.solved import Solved, bootstrapped, collect, returns
from o1_assets.search.run import SearchModels

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from o1_assets.reward.model import RewardModel


def make_q_value(task: Task, config: QValueConfig) -> Outcome:
    """Inputs: policy, generator, prm, init (an ORM, or a Q-value model before), train (problems).

    Writes a reward model of two classes, which is asked at the end of any step; calibration.parquet.
    """
    import torch

    from o1_assets.engine.training.tuning import finish, prepare
    from o1_assets.reward.model import ORM_CLASSES, save_reward_model, start_reward_model
    from o1_assets.reward.score import load_scorer

    # Before the policy is opened and sampled from: a new head is drawn from torch's global generator.
    torch.manual_seed(derive_seed(task.seed, "head"))
    edges = config.probability_edges if config.probability_feature else None
    model = start_reward_model(
        task.inputs["init"], ORM_CLASSES, edges, config.tuning.weights, config.score_tokens
    )
    prepare(model.backbone, config.tuning, derive_seed(task.seed, "lora"), extra_modules=model.new_modules())
    scorer = load_scorer(task.inputs["prm"], task.inputs["generator"])
    problems = read_parquet(task.inputs["train"] / "problems.parquet").sort("problem_id")
    problems = draw_problems(problems, config, derive_seed(task.seed, "problems"))
    policy = task.open_engine(task.inputs["policy"])
    models = SearchModels(
        policy,
        scorer,
        answer_of=config.prompt.answer,
        temperature=config.temperature,
    )
    task.progress(
        f"{problems.height} problems, {config.chains} chains and a tree of {config.tree_tokens} tokens each"
    )
    solved = collect(problems.to_dicts(), models, config, task.seed)
    generated = sum(s.tree.tokens_generated for s in solved)
    packed, cost = pack_trees(solved, scorer.tokenizer, scorer.generator if edges else None, config)
    cost += scorer.cost() + Cost(flops_generate(policy.parameters, generated), tokens_generated=generated)
    policy.close()

    parts: dict[str, list[int]] = {"train": [], "scale": [], "judge": []}
    for i, tree in enumerate(solved):
        parts[part_of(tree.problem_id, config)].append(i)
    history, tokens = _learn(model, packed, solved, parts["train"], config, task)
    finish(model.backbone, config.tuning)
    values = values_of(model, packed, config)
    # As they are before calibration, which changes the head: the report shows the chances before and after.
    scaling = calibrate(model, values, solved, parts["scale"], config)
    save_reward_model(model, task.inputs["init"], task.out)
    size = non_embedding_parameters(model.backbone)
    # Every iteration but the first reads all trees for its targets, and once more for the values at the end.
    looked = sum(len(row) for row in packed.rows) * (config.iterations + 1)
    cost += Cost(flops_train(size, tokens, config.tuning.lora is not None), tokens_trained=tokens)
    cost += Cost(flops_score(size, looked), tokens_scored=looked)
    return Outcome(
        figures={
            "problems": problems.height,
            "solutions": sum(len(s.tree.ends) for s in solved),
            "steps": sum(len(places) for places in packed.where),
            "loss_first": history[0][1],
            "loss_last": history[-1][1],
            **evaluate(scaling, values, solved, parts["judge"], config, task),
        },
        cost=cost,
        rows=len(solved),
    )


def draw_problems(train: pl.DataFrame, config: QValueConfig, seed: int) -> pl.DataFrame:
    """config.problems problems, drawn at random; of them config.holdout that what it starts from was not trained on, as
    far as there are so many."""
    unseen = pl.Series(
        [held_out(name, config.start_holdout) for name in train["problem_id"]], dtype=pl.Boolean
    )
    kept, others = train.filter(unseen), train.filter(~unseen)
    wanted = min(round(config.problems * config.holdout), kept.height)
    rest = min(config.problems - wanted, others.height)
    return pl.concat([kept.sample(wanted, seed=seed), others.sample(rest, seed=seed)]).sort("problem_id")


def part_of(problem_id: str, config: QValueConfig) -> Literal["train", "scale", "judge"]:
    """By the problem's id alone, as the ORM's own split: what the start was trained on is trained on here. The rest is
    halved: one half to calibrate on, the other to evaluate on."""
    if not held_out(problem_id, config.start_holdout):
        return "train"
    return "judge" if held_out(problem_id, config.start_holdout / 2) else "scale"


def _learn(
    model: RewardModel,
    packed: PackedTrees,
    solved: Sequence[Solved],
    trained: Sequence[int],
    config: QValueConfig,
    task: Task,
) -> tuple[list[tuple[int, float]], int]:
    """Fits the returns, then again and again the targets that the model itself sets. Returns the losses and the tokens
    trained on."""
    from o1_assets.engine.training.checkpoint import Checkpoints
    from o1_assets.reward.fit import fit

    training = set(trained)
    # For each tree node index -> target; the trees that are held out get none, and so no labels below.
    targets = [
        {node: outcome.mean for node, outcome in returns(s).items()} if i in training else {}
        for i, s in enumerate(solved)
    ]
    history: list[tuple[int, float]] = []
    tokens = 0
    for iteration in range(config.iterations + 1):
        if iteration:
            values = values_of(model, packed, config)
            targets = [bootstrapped(s, values[i]) if i in training else {} for i, s in enumerate(solved)]
        labels = packed.labels(targets)
        rows = [r for r, row in enumerate(labels) if not np.isnan(row).all()]
        updates = config.iteration_updates if iteration else config.updates
        order = np.random.default_rng(derive_seed(task.seed, "order", iteration))
        wanted = updates * config.batch_size
        # Whole shuffles one after another, cut off at the number of updates: every row is drawn equally often.
        drawn = np.concatenate([order.permutation(rows) for _ in range(-(-wanted // len(rows)))])[:wanted]
        features = packed.features
        items = [(packed.rows[r], labels[r], features[r] if features else None) for r in drawn.tolist()]
        keeps_none = Checkpoints(progress=task.progress)
        losses = fit(model, items, config, derive_seed(task.seed, "fit", iteration), keeps_none)
        history += [(update + (history[-1][0] if iteration else 0), loss) for update, loss in losses]
        tokens += sum(len(packed.rows[r]) for r in drawn.tolist())
    return history, tokens


# Search trees as packed rows of tokens: the Q-value model is trained on them and reads them.


@dataclass
class PackedTrees:
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


def pack_trees(
    solved: Sequence[Solved],
    tokenizer: PreTrainedTokenizerBase,
    generator: PreTrainedModel | None,
    config: QValueConfig,
) -> tuple[PackedTrees, Cost]:
    """All trees as packed rows, and the generator's pass over them if the model reads it."""
    from o1_assets.reward.read import place_features, reading_cost

    rows: list[Row] = []
    paths: list[list[StepSequence]] = []
    where: list[dict[int, tuple[int, int]]] = []
    for tree in solved:
        nodes, sequences = leaves(tree, tokenizer)
        places: dict[int, tuple[int, int]] = {}
        for row in pack_steps(sequences, ROW_TOKENS):
            for index, path in row.paths.items():
                for node, end in zip(nodes[index], sequences[index].ends, strict=True):
                    # A node on several paths stands once in each row: its first place is as good as any.
                    places.setdefault(node, (len(rows), int(path[end])))
            rows.append(row)
            paths.append(sequences)
        where.append(places)
    if generator is None:
        return PackedTrees(rows, None, where), Cost()
    tokens = sum(len(row) for row in rows)
    features = place_features(generator, rows, paths, config.score_tokens)
    return PackedTrees(rows, features, where), reading_cost(generator, tokens)


def leaves(solved: Solved, tokenizer: PreTrainedTokenizerBase) -> tuple[list[list[int]], list[StepSequence]]:
    """Every path of the tree to a node without whole children: the indices of its nodes, and its tokens.

    All shorter paths are prefixes of these, so that packing them packs the whole tree.
    """
    from o1_assets.engine.steps import close_last

    prompt = tuple(solved.tree.prompt_ids)
    nodes, sequences = [], []
    for node in solved.tree.nodes[1:]:
        if node.cut or any(not child.cut for child in node.children):
            continue
        path = node.path()
        tokens, ends = list(prompt), []
        for step in path:
            # The end token is left out: the reward model reads a solution up to the end of its last step.
            step_tokens = [token for token in step.token_ids if token != tokenizer.eos_token_id]
            tokens += step_tokens
            ends.append(len(tokens) - 1)
        nodes.append([step.index for step in path])
        tokens, ends = close_last(tokens, ends, tokenizer)
        sequences.append(StepSequence(tuple(tokens), len(prompt), tuple(ends)))
    return nodes, sequences


def values_of(model: RewardModel, packed: PackedTrees, config: QValueConfig) -> list[dict[int, float]]:
    """For each tree node index -> Q."""
    from o1_assets.reward.read import predict

    (of_rows,) = predict([model], packed.rows, packed.features, config.score_tokens)
    return [
        {node: float(of_rows[row][token, 1]) for node, (row, token) in places.items()}
        for places in packed.where
    ]
