"""Opens the models of a search straight from the store, every byte compared with its digest."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.core.errors import O1Error
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.problems.worlds.registry import self_check
from o1_assets.store.store import MissingInput

if TYPE_CHECKING:
    from o1_assets.core.engine import Engine
    from o1_assets.profiles.profile import Profile
    from o1_assets.search.interface import Strategy
    from o1_assets.search.run import SearchModels
    from o1_assets.store.manifest import Manifest
    from o1_assets.store.store import ArtifactStore

# Models of no round that answer questions.
OF_NO_ROUND = ("base/model", "generator/model", "mini/model", "assistant/sft", "assistant/policy")


class UnknownModel(O1Error):
    """The key is not that of a model that answers questions."""


@dataclass(frozen=True)
class ModelVersions:
    """by_role: policy, prm, generator (which the PRM asks), q_value, proposer (of steps, beside the policy) -> the
    version of the artifact that plays this role."""

    by_role: dict[str, Manifest]

    def digests(self) -> dict[str, str]:
        """key -> digest."""
        return {manifest.key: manifest.digest for manifest in self.by_role.values()}


def choose_models(
    store: ArtifactStore, profile: Profile, strategy: Strategy, key: str | None = None
) -> ModelVersions:
    """The policy of `key`, or without it the newest baby-o1, and the models that the strategy needs beside it.

    These are the ones of the policy's round, or for a policy of no round (OF_NO_ROUND) the newest.
    Raises MissingInput if one of them has not been made, UnknownModel if `key` is not the key of a policy.
    """
    newest_first = [f"r{k:02d}" for k in reversed(range(profile.rounds + 1))]
    if key is None:
        policy = _first(store, [f"{name}/policy" for name in newest_first])
        if policy is None:
            raise MissingInput(
                "no policy has been trained yet; `make run` trains baby-o1 (`o1 status`: how far it is)"
            )
    elif key not in OF_NO_ROUND and not re.fullmatch(r"r\d\d/policy", key):
        raise UnknownModel(
            f"{key!r} answers no questions; choose {', '.join(OF_NO_ROUND)} or one of rNN/policy"
        )
    else:
        policy = store.head(key)
        if policy is None and key not in (*OF_NO_ROUND, *(f"{name}/policy" for name in newest_first)):
            raise UnknownModel(f"there is no {key}: the rounds of this profile are r00 to {newest_first[0]}")
        if policy is None:
            how = "o1 run --with mini" if key.startswith("mini/") else "o1 run"
            raise MissingInput(f"{key} has not been made; run `{how}`, or leave --model out")
    chosen = {"policy": policy}
    rounds = newest_first if policy.key in OF_NO_ROUND else [policy.key.removesuffix("/policy")]
    wanted = {"nothing": {}, "prm": {"prm": "prm"}, "q": {"prm": "prm", "q": "q_value"}}[strategy.reads]
    for name in wanted.values():
        head = _first(store, [f"{r}/{name}" for r in rounds])
        if head is None:
            how = f"o1 run --with {rounds[0]}/{name}" if name == "q_value" else "o1 run"
            raise MissingInput(
                f"this way of thinking needs {rounds[0]}/{name}, which has not been made; run `{how}`, or take "
                "another --strategy: chain and consistency need the policy alone"
            )
        chosen[name] = head
    # A reward model may read the generator's log-probabilities, always those of the one GPT*.
    roles = ["generator"] * bool(wanted)
    roles += ["proposer"] * any(proposer.model == "generator" for proposer in strategy.proposers)
    for role in roles:
        generator = store.head("generator/model")
        if generator is None:
            raise MissingInput(
                "this way of thinking needs generator/model, which has not been made; run `o1 run`"
            )
        chosen[role] = generator
    return ModelVersions(chosen)


def load_search_models(
    store: ArtifactStore,
    chosen: ModelVersions,
    open_engine: Callable[[Path], Engine],
    prompt: PromptFormat,
    temperature: float,
) -> SearchModels:
    """Raises StoreError where a model's files are not what its manifest says."""
    from o1_assets.reward.score import load_scorer
    from o1_assets.search.run import SearchModels

    # Every byte is compared with its digest: what answers is the model that its manifest describes.
    folders = {role: store.verified(manifest.digest) for role, manifest in chosen.by_role.items()}
    scorer = None
    if "prm" in folders:
        scorer = load_scorer(folders["prm"], folders["generator"], folders.get("q_value"))
    return SearchModels(
        open_engine(folders["policy"]),
        prm=scorer,
        q=scorer if "q_value" in folders else None,
        answer_of=prompt.answer,
        answer_start=prompt.answer_start,
        self_check=self_check,
        temperature=temperature,
        generator=open_engine(folders["proposer"]) if "proposer" in folders else None,
    )


def _first(store: ArtifactStore, keys: list[str]) -> Manifest | None:
    """The newest version of the first key that has one."""
    return next((head for key in keys if (head := store.head(key)) is not None), None)
