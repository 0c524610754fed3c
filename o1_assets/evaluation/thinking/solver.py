"""One policy with the newest reward models, which solves the same held-out problems with every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from o1_assets.core.artifact import Cost, Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.flops import flops_generate, flops_score, non_embedding_parameters
from o1_assets.core.seeds import derive_seed
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.problems.grading import grade_all
from o1_assets.problems.worlds.registry import self_check
from o1_assets.search.clock import Clock
from o1_assets.search.interface import Budget, SearchResult, Strategy
from o1_assets.search.run import SearchModels, search
from o1_assets.search.tree import Node, Tree

if TYPE_CHECKING:
    from o1_assets.core.engine import Engine
    from o1_assets.reward.score import Scorer


Reads = Literal["nothing", "prm", "q"]


@dataclass
class Solver:
    """name: the input that the policy was opened from; it and a purpose make a search's seeds.

    generated: tokens of all searches so far.
    """

    name: str
    problems: Sequence[dict[str, Any]]
    config: ThinkingConfig
    seed: int
    engine: Engine
    scorer: Scorer
    thinker: SearchModels
    generated: int = 0
    _right: dict[tuple[int, str], bool] = field(default_factory=dict)

    @classmethod
    def open(
        cls, task: Task, name: str, problems: Sequence[dict[str, Any]], config: ThinkingConfig
    ) -> Solver:
        """Inputs of the task: `name`, prm, q_value, generator."""
        from o1_assets.reward.score import load_scorer

        engine = task.open_engine(task.inputs[name])
        # The Q-value model is a reward model with two classes, as an ORM is, and takes its place.
        scorer = load_scorer(task.inputs["prm"], task.inputs["generator"], orm=task.inputs["q_value"])
        thinker = SearchModels(
            engine,
            scorer,
            scorer,
            answer_of=config.prompt.answer,
            answer_start=config.prompt.answer_start,
            self_check=self_check,
            temperature=config.temperature,
            generator=_generator(task, name, engine) if config.mixed else None,
        )
        return cls(name, problems, config, task.seed, engine, scorer, thinker)

    def close(self) -> None:
        self.thinker.close()

    def think(
        self, strategy: Strategy, tokens: int, *purpose: object, tries: int = 1, longest: int | None = None
    ) -> list[list[SearchResult]]:
        """[tries][problems], each try with a seed of its own. longest: tokens of a solution, else as configured."""
        config = self.config
        budget = Budget(tokens, config.max_steps, config.step_tokens, longest or config.prompt.max_tokens)
        prompts = [config.prompt.render(problem["question"]) for problem in self.problems]
        seeds = [self._seed(i, t, *purpose) for t in range(tries) for i in range(len(self.problems))]
        # One call for all tries: the engine fills its batches with them.
        results = search(strategy, prompts * tries, self.thinker, budget, seeds)
        self.generated += sum(result.tree.tokens_generated for result in results)
        each = len(self.problems)
        return [results[t * each : (t + 1) * each] for t in range(tries)]

    def think_alone(
        self, strategy: Strategy, tokens: int, problem: int, clock: Clock, *purpose: object
    ) -> SearchResult:
        """The first try of `think` on one problem alone, whose time `clock` takes."""
        config = self.config
        budget = Budget(tokens, config.max_steps, config.step_tokens, config.prompt.max_tokens, clock=clock)
        prompt = config.prompt.render(self.problems[problem]["question"])
        [result] = search(strategy, [prompt], self.thinker, budget, [self._seed(problem, 0, *purpose)])
        self.generated += result.tree.tokens_generated
        return result

    def _seed(self, problem: int, number: int, *purpose: object) -> int:
        # By problem id: another selection of problems searches the same ones in the same way.
        return derive_seed(self.seed, self.name, *purpose, number, self.problems[problem]["problem_id"])

    def asked_for(self, stops: Sequence[tuple[int, Tree, Node]]) -> list[bool]:
        """stops: (index of a problem, its tree, the last step before it was stopped). Whether the answer that is asked
        for there is right, as `search` would ask."""
        start = self.thinker.answer_start
        asked = self.engine.tokenizer.encode(start, add_special_tokens=False)
        prompts = [[*tree.prompt_ids, *node.completion_ids(), *asked] for _, tree, node in stops]
        params = SamplingParams(self.config.step_tokens, 0.0, stop_at_step=True)
        samples = self.engine.sample(prompts, params, [0] * len(prompts)) if prompts else []
        self.generated += sum(len(sample.token_ids) for sample in samples)
        texts = [self.engine.tokenizer.decode(s.token_ids, skip_special_tokens=True) for s in samples]
        keys = [
            (problem, answer)
            for (problem, _, _), text in zip(stops, texts, strict=True)
            if (answer := self.thinker.answer_of(f"{start}{text}")) is not None
        ]
        self._grade(list(dict.fromkeys(keys)))
        right = {problem for problem, answer in keys if self._right[problem, answer]}
        return [problem in right for problem, _, _ in stops]

    def right(self, problem: int, node: Node | None) -> bool:
        """Whether the answer that the solution ends with is the problem's; without one it is not."""
        if node is None or node.answer is None:
            return False
        key = (problem, node.answer)
        # Thousands of searches end in the same few answers, and some graders start a process.
        if key not in self._right:
            self._grade([key])
        return self._right[key]

    def verdicts(self, tries: Sequence[Sequence[SearchResult]]) -> list[dict[str, bool]]:
        """For each problem: every answer that any of its searches found -> whether it is right."""
        answers = [
            dict.fromkeys(
                end.node.answer
                for results in tries
                for end in results[i].tree.ends
                if end.node.answer is not None
            )
            for i in range(len(self.problems))
        ]
        self._grade([(i, answer) for i, given in enumerate(answers) for answer in given])
        return [{answer: self._right[i, answer] for answer in given} for i, given in enumerate(answers)]

    def _grade(self, ends: list[tuple[int, str]]) -> None:
        """ends: (index of a problem, answer)."""
        new = [end for end in ends if end not in self._right]
        verdicts = grade_all([(answer, self.problems[problem]) for problem, answer in new])
        self._right.update(zip(new, verdicts, strict=True))

    def flops(self, generated: float, scored: float, reads: Reads, mixed: bool = False) -> float:
        """FLOPs of sampling `generated` tokens, and of `scored` tokens read by the models that the strategy uses.

        mixed: GPT* proposes, too, whose solutions the policy reads; it is as large. Counted as if all were GPT*'s.
        """
        readers = [self.scorer.model(3).backbone] if reads != "nothing" else []
        if reads == "q":
            readers.append(self.scorer.model(2).backbone)
        # Reward models are told the generator's log-probabilities, so it reads whatever they read.
        if readers and self.scorer.generator is not None:
            readers.append(self.scorer.generator)
        parameters = sum(non_embedding_parameters(reader) for reader in readers)
        parameters += self.engine.parameters * mixed
        return flops_generate(self.engine.parameters, generated) + flops_score(parameters, scored)

    def cost(self) -> Cost:
        sampled = flops_generate(self.engine.parameters, self.generated)
        return self.scorer.cost() + Cost(sampled, tokens_generated=self.generated)


def _generator(task: Task, name: str, engine: Engine) -> Engine:
    """GPT*, which may be the model itself."""
    return engine if name == "generator" else task.open_engine(task.inputs["generator"])
