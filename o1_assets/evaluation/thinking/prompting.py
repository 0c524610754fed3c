"""eval/prompting: what prompting and small fine-tuning get out of the same models (Karpathy's State of GPT).

Worked examples in the prompt, steps that are held to their format by constrained decoding, a self-check that is asked
for, low-rank updates against all weights: each against the plain chain, on the same problems, and but for the
self-checks with the same random numbers. Writes prompting.parquet, a row a model and way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from o1_assets.core.artifact import Cost, Outcome, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate, flops_score
from o1_assets.core.seeds import derive_seed, sample_seeds
from o1_assets.core.tables import read_parquet
from o1_assets.evaluation.evaluate_policy import held_out
from o1_assets.evaluation.thinking.config import PromptingConfig
from o1_assets.evaluation.thinking.examples import Example, Examples
from o1_assets.evaluation.thinking.points import mean_and_error
from o1_assets.problems.grading import grade_all
from o1_assets.problems.problem import stored_solution
from o1_assets.problems.worlds.registry import read_problem
from o1_assets.search.chain import Chain
from o1_assets.search.interface import Budget
from o1_assets.search.run import SearchModels, search

if TYPE_CHECKING:
    from o1_assets.core.engine import Engine

# Input -> what it is called.
MODELS = {"base": "base", "assistant": "assistant", "generator": "GPT*", "policy": "baby-o1"}

PLAIN, ANY, SIMILAR, ITSELF = "no example", "any examples", "similar examples", "its own solution shown"
CONSTRAINED, BOTH, LOW_RANK, ALL_WEIGHTS = (
    "constrained",
    "similar examples, constrained",
    "fine-tuned, low rank",
    "fine-tuned, all weights",
)
ASKED = "asked to "


@dataclass(frozen=True)
class Chains:
    """Chains of each problem, all in order. read: tokens of their prompts."""

    texts: Sequence[str]
    answers: Sequence[str | None]
    generated: Sequence[int]
    read: Sequence[int]


def make_prompting(task: Task, config: PromptingConfig) -> Outcome:
    """Inputs: base, generator, policy, sft_set, test; assistant where GPT* is made of one; low_rank where SFT trains
    all weights."""
    test = held_out(read_parquet(task.inputs["test"] / "problems.parquet"), config.problems).to_dicts()
    sft_set = read_parquet(task.inputs["sft_set"] / "sft_set.parquet").unique(
        "problem_id", maintain_order=True
    )
    examples = [
        Example(row["question"], row["text"].rstrip("\n")) for row in sft_set.sort("problem_id").to_dicts()
    ]
    rows: list[dict[str, Any]] = []
    cost = Cost()
    figures: dict[str, float] = {}
    models = {model: name for model, name in MODELS.items() if model in task.inputs}
    for model, name in models.items():
        prompted = Prompted(task.open_engine(task.inputs[model]), test, examples, config, task.seed)
        for way, chains in prompted.ways().items():
            task.progress(f"{name}: {way}")
            rows.append({"model": name, "way": way, **prompted.measured(chains())})
        figures.setdefault("answer_of_the_nearest", prompted.answer_of_the_nearest())
        cost += prompted.cost
        prompted.engine.close()
    # What fine-tuning makes of its start is GPT* by another name, and its low-rank twin.
    start = models.get("assistant", "base")
    for model, way in (("low_rank", LOW_RANK), ("generator", ALL_WEIGHTS)):
        if model in task.inputs:
            prompted = Prompted(task.open_engine(task.inputs[model]), test, examples, config, task.seed)
            rows.append({"model": start, "way": way, **prompted.measured(prompted.plain())})
            cost += prompted.cost
            prompted.engine.close()
    table = pl.DataFrame(rows, infer_schema_length=None)
    table.write_parquet(task.out / "prompting.parquet")
    for row in rows:
        figures[f"{row['model']}, {row['way']}"] = row["accuracy"]
    return Outcome(dict(figures), cost, len(rows), table.drop("right").to_dicts())


@dataclass
class Prompted:
    """A model that is asked the same problems in several ways."""

    engine: Engine
    problems: Sequence[dict[str, Any]]
    examples: Sequence[Example]
    config: PromptingConfig
    seed: int
    cost: Cost = field(default_factory=Cost)

    def ways(self) -> dict[str, Callable[[], Chains]]:
        count = self.config.examples
        ways: dict[str, Callable[[], Chains]] = {
            PLAIN: self.plain,
            ANY: lambda: self._chains(self._shown(self.any_of)),
            SIMILAR: lambda: self._chains(self._shown(self.similar)),
        }
        if all(self._solutions):
            # A control: what a model that reads its examples could copy.
            ways[ITSELF] = lambda: self._chains(self._shown(lambda i: [self._itself(i)] * min(1, count)))
        if self._pattern and self.engine.constrains:
            ways[CONSTRAINED] = lambda: self._chains(self._shown(lambda i: []), self._pattern)
            ways[BOTH] = lambda: self._chains(self._shown(self.similar), self._pattern)
        for word in self.config.doubts:
            ways[f'{ASKED}"{word.strip()}"'] = partial(self._doubting, word)
        return ways

    def plain(self) -> Chains:
        return self._chains(self._shown(lambda i: []))

    def measured(self, chains: Chains) -> dict[str, Any]:
        """Accuracy with its standard error over problems, tokens and FLOPs of one chain, and what was right of each
        problem's chains."""
        verdicts = grade_all(list(zip(chains.answers, self._each(self.problems), strict=True)))
        right = np.array(verdicts, dtype=np.float64).reshape(len(self.problems), -1).mean(1)
        written, read = sum(chains.generated), sum(chains.read)
        parameters = self.engine.parameters
        flops = flops_generate(parameters, written) + flops_score(parameters, read)
        self.cost += Cost(flops, tokens_generated=written, tokens_scored=read)
        fits = re.compile(self._pattern).fullmatch if self._pattern else None
        return {
            **mean_and_error("accuracy", right),
            "generated": written / len(chains.texts),
            "read": read / len(chains.texts),
            "flops": flops / len(chains.texts),
            "answered": float(np.mean([answer is not None for answer in chains.answers])),
            "well_formed": None
            if fits is None
            else float(np.mean([fits(t) is not None for t in chains.texts])),
            "right": right.tolist(),
        }

    def answer_of_the_nearest(self) -> float:
        """How often the answer of the most similar example is right: what retrieval alone knows."""
        answers = []
        for i in range(len(self.problems)):
            nearest = self.similar(i)[-1:]
            answers.append(self.config.prompt.answer(nearest[0].solution) if nearest else None)
        return float(np.mean(grade_all(list(zip(answers, self.problems, strict=True)))))

    # What is shown.

    def similar(self, i: int) -> list[Example]:
        return self._index.similar(self.problems[i]["question"], self.config.examples)

    def any_of(self, i: int) -> list[Example]:
        return self._index.any_of(self.config.examples, self.seed, self.problems[i]["problem_id"])

    def _itself(self, i: int) -> Example:
        return Example(self.problems[i]["question"], self._solutions[i])

    def _shown(self, chosen: Callable[[int], list[Example]]) -> list[list[int]]:
        """Each problem's prompt with its examples, as tokens. Of too many the first ones, the least similar, go."""
        longest = self.engine.tokenizer.model_max_length - self.config.prompt.max_tokens
        prompts = []
        for i, problem in enumerate(self.problems):
            examples = chosen(i)
            while True:
                text = self.config.shown(problem["question"], [(e.question, e.solution) for e in examples])
                ids: list[int] = self.engine.tokenizer(text)["input_ids"]
                if len(ids) <= longest or not examples:
                    break
                examples = examples[1:]
            prompts.append(ids)
        return prompts

    # What is written.

    def _chains(self, prompts: list[list[int]], pattern: str = "") -> Chains:
        config = self.config
        params = SamplingParams(config.prompt.max_tokens, config.temperature, pattern=pattern)
        # The same random numbers in every way, so that ways differ by what they change alone.
        samples = self.engine.sample(self._each(prompts), params, self._seeds)
        decode = self.engine.tokenizer.decode
        texts = [str(decode(s.token_ids, skip_special_tokens=True)) for s in samples]
        answers = [
            config.prompt.answer(t) if s.finished else None for s, t in zip(samples, texts, strict=True)
        ]
        return Chains(
            texts, answers, [len(s.token_ids) for s in samples], [len(p) for p in self._each(prompts)]
        )

    def _doubting(self, word: str) -> Chains:
        """Chains whose first answer is replaced by the word, after which they go on."""
        config = self.config
        prompts = self._each([config.prompt.render(problem["question"]) for problem in self.problems])
        models = SearchModels(self.engine, answer_of=config.prompt.answer, temperature=config.temperature)
        budget = Budget(
            config.prompt.max_tokens * config.max_steps,
            config.max_steps,
            config.step_tokens,
            config.prompt.max_tokens,
        )
        results = search(Chain(word, 1), prompts, models, budget, self._seeds)
        answers = [result.answer.answer for result in results]
        trees = [result.tree for result in results]
        return Chains(
            [result.completion for result in results],
            answers,
            [tree.tokens_generated for tree in trees],
            [len(tree.prompt_ids) for tree in trees],
        )

    def _each(self, of_problems: Sequence[Any]) -> list[Any]:
        """One for each chain."""
        return [value for value in of_problems for _ in range(self.config.chains)]

    @cached_property
    def _seeds(self) -> list[int]:
        ids = [problem["problem_id"] for problem in self.problems]
        return sample_seeds(derive_seed(self.seed, "chains"), ids, self.config.chains)

    @cached_property
    def _index(self) -> Examples:
        return Examples(self.examples, self.engine.tokenizer)

    @cached_property
    def _solutions(self) -> list[str]:
        """A right solution of each problem, by the rules of its world or by its publishers; "" where there is none."""
        solutions = []
        for problem in self.problems:
            if known := read_problem(problem["metadata"]):
                solutions.append("\n".join(known[0].right_solution(known[1])))
            elif solution := re.sub(r"<<[^>]*>>", "", stored_solution(problem["metadata"])).strip():
                solutions.append(f"{solution}\n{self.config.prompt.answer_prefix} {problem['answer']}")
            else:
                solutions.append("")
        return solutions

    @cached_property
    def _pattern(self) -> str:
        """How a solution is written: by the world's rules, else any lines with the answer in the last one."""
        if self.config.pattern is not None:
            return self.config.pattern
        if known := read_problem(self.problems[0]["metadata"]):
            return known[0].solution_pattern
        prefix = self.config.prompt.answer_prefix
        return "" if prefix.startswith("\\") else rf"([^\n]+\n)+{re.escape(prefix)} -?[0-9][0-9.,]*\n?"
