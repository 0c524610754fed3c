"""Thinking about questions in this process: the models are opened, the questions read, one search solves them all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from o1_assets.cli.common import print_note
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.open import require_engine
from o1_assets.execution.project import Project
from o1_assets.search.asked import Asked
from o1_assets.search.models import ModelVersions, choose_models, load_search_models
from o1_assets.search.question import Question, UnreadableQuestion, read_question, unreadable
from o1_assets.search.thinking import Thinking, choose_thinking
from o1_assets.store.store import ArtifactStore

if TYPE_CHECKING:
    from o1_assets.profiles.profile import Profile
    from o1_assets.search.running import SearchModels
    from o1_assets.search.trace import Trace


@dataclass(frozen=True)
class Problems:
    """Questions as a policy reads them, and the seed of each one's search. refused: a sentence for each question that
    cannot be asked, which is none of `questions`."""

    questions: list[Question]
    prompts: list[str]
    seeds: list[int]
    refused: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, questions: Sequence[Question], profile: Profile, seed: int) -> Problems:
        # By the text: an answer must not change with what else is asked, or in which order.
        seeds = [derive_seed(seed, question.text) for question in questions]
        return cls(list(questions), [profile.prompt.render(q.text) for q in questions], seeds)

    @classmethod
    def read(cls, questions: Sequence[str], places: Sequence[str], profile: Profile, seed: int) -> Problems:
        """Those of the questions that are text. Raises UnreadableQuestion if none is. places: of each, for messages."""
        read, refused = [], []
        for question, place in zip(questions, places, strict=True):
            try:
                read.append(read_question(question, profile, place))
            except UnreadableQuestion as error:
                refused.append(str(error))
        return replace(cls.of(read, profile, seed), refused=refused)._or_raise()

    def readable(self, thinker: SearchModels, thinking: Thinking) -> Problems:
        """Those that the model can read: only its tokenizer knows which words it has and how many tokens a prompt
        takes. Raises UnreadableQuestion if it can read none."""
        tokenizer, room = thinker.policy.tokenizer, thinking.budget.solution_tokens
        why = [unreadable(q, p, tokenizer, room) for q, p in zip(self.questions, self.prompts, strict=True)]
        kept = [index for index, reason in enumerate(why) if not reason]
        return Problems(
            [self.questions[index] for index in kept],
            [self.prompts[index] for index in kept],
            [self.seeds[index] for index in kept],
            [*self.refused, *filter(None, why)],
        )._or_raise()

    def _or_raise(self) -> Problems:
        if self.questions or not self.refused:
            return self
        more = f" (none of the {len(self.refused)} questions can be asked)" if len(self.refused) > 1 else ""
        raise UnreadableQuestion(self.refused[0] + more)

    def warnings(self) -> list[str]:
        """A sentence for each question that the model's training never had the like of."""
        return [warning for question in self.questions if (warning := question.warning())]


def ask(
    project: Project,
    questions: Sequence[str],
    *,
    places: Sequence[str] = (),
    effort: str = "medium",
    tokens: int | None = None,
    seconds: float | None = None,
    strategy: str | None = None,
    model: str | None = None,
    seed: int = 0,
) -> Asked:
    """Thinks about all questions in one batch. A question's answer does not depend on what else is asked.

    places: where each question stands, for messages. Warnings about unusual questions go to stderr; those that cannot
    be asked are left out, and `Asked.refused` says why. Raises AskError, MissingInput, StoreError, UnknownModel,
    EngineMissing, and UnreadableQuestion if no question can be asked.
    """
    started = time.perf_counter()
    profile, store = project.profile, project.store
    thinking = choose_thinking(profile, effort, tokens, strategy, seconds)
    problems = Problems.read(questions, places or [""] * len(questions), profile, seed)
    # Only what the strategy reads is loaded: a chain needs no reward model.
    chosen = choose_models(store, profile, thinking.strategy, model)
    # Before torch and the checkpoints are loaded, which takes seconds: a missing engine is reported at once.
    require_engine(profile.engine)
    thinker = load_thinker(store, profile, chosen)
    problems = problems.readable(thinker, thinking)
    for warning in problems.warnings():
        print_note(warning)
    # Loading counts apart: it happens once, however many questions are asked.
    loaded = time.perf_counter()
    traces = think(thinker, thinking, problems)
    spent = time.perf_counter() - loaded
    thinker.close()
    return Asked(
        problems.questions, traces, thinking, chosen.digests(), loaded - started, spent, problems.refused
    )


def load_thinker(store: ArtifactStore, profile: Profile, chosen: ModelVersions) -> SearchModels:
    """The models of a search, in this process. Raises StoreError."""
    from o1_assets.execution.environment import prepare_compute

    # Before torch is imported, which reads the number of OpenMP's threads then.
    prepare_compute(profile.threads)
    import torch

    from o1_assets.engine.open import open_engine

    torch.set_num_threads(profile.threads)
    if "transformers" in sys.modules:
        # Already imported, it no longer looks at the environment, where `prepare_compute` makes it quiet.
        import transformers

        transformers.utils.logging.set_verbosity_error()
        transformers.utils.logging.disable_progress_bar()
    return load_search_models(
        store,
        chosen,
        lambda path: open_engine(path, profile.engine),
        profile.prompt,
        profile.policy.temperature,
    )


def think(
    thinker: SearchModels,
    thinking: Thinking,
    problems: Problems,
    wanted: Callable[[int], bool] = lambda problem: True,
) -> list[Trace]:
    """One search about all problems. wanted: whether anybody still waits for the answer to a problem, by its index."""
    from o1_assets.search.clock import Clock
    from o1_assets.search.run import search
    from o1_assets.search.trace import Trace

    clock = None if thinking.seconds is None else Clock(thinking.seconds)
    budget = replace(thinking.budget, clock=clock)
    results = search(thinking.strategy, problems.prompts, thinker, budget, problems.seeds, wanted)
    return [Trace.of(result) for result in results]
