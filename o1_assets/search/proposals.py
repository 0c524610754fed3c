"""Who proposes what a search samples: the policy, or GPT* beside it, each at a temperature of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from o1_assets.core.engine import Engine, Sample, SamplingParams


@dataclass(frozen=True)
class Proposer:
    """model: the policy, or GPT*, which RL has not narrowed. heat: its temperature, in those of the search."""

    model: Literal["policy", "generator"] = "policy"
    heat: float = 1.0


POLICY = Proposer()
GENERATOR = Proposer("generator")
HOT_POLICY = Proposer(heat=1.5)


class Proposals:
    """The proposers of a search with their engines. They take turns at the samples after a node."""

    def __init__(self, proposers: Sequence[Proposer], policy: Engine, generator: Engine | None) -> None:
        """Raises ValueError if the generator is to propose and was not given."""
        self.proposers, self.policy = proposers, policy
        self.engines = {"policy": policy}
        if any(proposer.model == "generator" for proposer in proposers):
            if generator is None:
                raise ValueError("the generator is to propose steps and was not given")
            self.engines["generator"] = generator

    @contextmanager
    def prefix_caches(self) -> Iterator[None]:
        with ExitStack() as stack:
            for engine in self.engines.values():
                stack.enter_context(engine.prefix_cache())
            yield

    def sample(
        self,
        prompts: Sequence[Sequence[int]],
        params: SamplingParams,
        seeds: Sequence[int],
        turns: Sequence[int],
    ) -> list[Sample]:
        """One sample for each prompt. Its log-probabilities are the policy's, whoever proposed it.

        turns: how many samples were drawn before from the node that each prompt ends with. A greedy sample is what the
        policy finds best, whoever's turn it is.
        """
        whose = [
            POLICY if params.temperature == 0 else self.proposers[n % len(self.proposers)] for n in turns
        ]
        samples: dict[int, Sample] = {}
        # Those of one proposer in one call of its engine.
        for proposer in dict.fromkeys(whose):
            rows = [i for i, other in enumerate(whose) if other == proposer]
            limits = tuple(params.limit(i) for i in rows) if params.limits else ()
            heated = replace(params, temperature=params.temperature * proposer.heat, limits=limits)
            asked = [prompts[i] for i in rows]
            drawn = self.engines[proposer.model].sample(asked, heated, [seeds[i] for i in rows])
            samples |= zip(
                rows, drawn if proposer.model == "policy" else self._read(asked, drawn), strict=True
            )
        return [samples[i] for i in range(len(prompts))]

    def _read(self, prompts: Sequence[Sequence[int]], samples: Sequence[Sample]) -> list[Sample]:
        """Samples of another model, with what the policy thinks of their tokens. Equal ones are read once."""
        keys = [(tuple(p), tuple(s.token_ids)) for p, s in zip(prompts, samples, strict=True)]
        distinct = list(dict.fromkeys(keys))
        read = self.policy.logprobs(
            [[*prompt, *tokens] for prompt, tokens in distinct], [len(prompt) for prompt, _ in distinct]
        )
        logprobs = dict(zip(distinct, read, strict=True))
        return [replace(sample, logprobs=logprobs[key]) for key, sample in zip(keys, samples, strict=True)]
