"""The step beam and MCTS of llm-reasoners on nano's models, one problem after another: its interface has no batch of
problems. The steps after a state are sampled and scored in one batch, when its actions are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from benchmarks.rivals import Generate

ANSWER = "answer"


class Step(NamedTuple):
    """An action: a step's text and the score of the solution that it ends."""

    text: str
    score: float


def solve(
    models: Generate,
    prompts: Sequence[str],
    algorithm: Literal["beam", "mcts"],
    branch: int,
    steps: int,
    width: int = 1,
    iterations: int = 0,
) -> list[str]:
    """The chosen solution of each prompt, empty if none ended. iterations: of MCTS; width: of the beam."""
    from reasoners import Reasoner, SearchConfig, WorldModel
    from reasoners.algorithm import MCTS, BeamSearch

    class Steps(WorldModel):
        """A state is the steps so far."""

        def init_state(self) -> Any:
            return ()

        def step(self, state: Any, action: Any) -> Any:
            return (*state, action), {}

        def is_terminal(self, state: Any) -> bool:
            return bool(state) and (state[-1].text.startswith(ANSWER) or len(state) >= steps)

    class Scores(SearchConfig):
        def get_actions(self, state: Any) -> list[Step]:
            so_far = "".join(step.text for step in state)
            found = [text for text in models.steps([self.example + so_far] * branch) if text.strip()]
            distinct = list(dict.fromkeys(found))
            if not distinct:
                return []
            scores = models.scores([self.example] * len(distinct), [so_far + text for text in distinct])
            return [Step(text, score) for text, score in zip(distinct, scores, strict=True)]

        def fast_reward(self, state: Any, action: Any) -> Any:
            return action.score, {}

        def reward(self, state: Any, action: Any, **details: Any) -> Any:
            return action.score, {}

    search: Any = (
        BeamSearch(beam_size=width, max_depth=steps)
        if algorithm == "beam"
        else MCTS(n_iters=iterations, depth_limit=steps, cum_reward=_last)
    )
    reasoner = Reasoner(world_model=Steps(), search_config=Scores(), search_algo=search)
    found = (reasoner(prompt).terminal_state for prompt in prompts)
    return ["".join(step.text for step in state or ()) for state in found]


def _last(rewards: list[float]) -> float:
    """A step's score is that of all steps so far."""
    return rewards[-1]
