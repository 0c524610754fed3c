"""The models of a finished nano run, and the problems that comparisons solve with them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from o1_assets.core.prompt_format import PromptFormat
    from o1_assets.profiles.profile import Profile
    from o1_assets.reward.score import Scorer
    from o1_assets.search.run import SearchModels


MISSING = (
    "{} has no {}; run `make run`, or name the folder of a finished run: O1_HOME=FOLDER or --home FOLDER"
)


POLICY, PRM = "r10/policy", "r10/prm"


@dataclass(frozen=True)
class Finished:
    """Folders of a finished run's artifacts by their keys, and its held-out problems."""

    folders: dict[str, Path]
    problems: list[dict[str, Any]]
    prompts: list[str]
    prompt: PromptFormat
    step_tokens: int

    def scorer(self) -> Scorer:
        """The PRM, with the generator whose log-probabilities it reads."""
        from o1_assets.reward.score import load_scorer

        return load_scorer(self.folders[PRM], self.folders["generator/model"])

    def thinker(self, scorer: Scorer | None = None) -> SearchModels:
        from o1_assets.engine.open import open_engine
        from o1_assets.search.run import SearchModels

        return SearchModels(
            open_engine(self.folders[POLICY]),
            prm=scorer or self.scorer(),
            answer_of=self.prompt.answer,
            answer_start=self.prompt.answer_start,
        )


@contextmanager
def opened_run(*keys: str) -> Iterator[tuple[Profile, dict[str, Path]]]:
    """nano's profile, and the folders of these artifacts in the run of O1_HOME. Raises SystemExit if there is none.

    Sets the number of threads to the profile's.
    """
    from o1_assets.core.settings import Settings
    from o1_assets.execution.environment import prepare_compute
    from o1_assets.profiles.load import load_profile
    from o1_assets.store.store import ArtifactStore

    settings, profile = Settings.load("nano"), load_profile("nano")
    if not settings.home.is_dir():
        raise SystemExit(MISSING.format(settings.home, "run"))
    prepare_compute(profile.threads)
    with tempfile.TemporaryDirectory(prefix="bench-models-") as work:
        store = ArtifactStore(settings.store, Path(work))
        folders = {}
        for key in keys:
            head = store.head(key)
            if head is None:
                raise SystemExit(MISSING.format(settings.home, key))
            folders[key] = store.verified(head.digest)
        yield profile, folders


@contextmanager
def finished(problems: int) -> Iterator[Finished]:
    """As `opened_run`, with so many of the run's held-out problems."""
    import polars as pl

    from o1_assets.evaluation.evaluate_policy import held_out

    with opened_run(POLICY, PRM, "generator/model", "problems/test") as (profile, folders):
        table = held_out(pl.read_parquet(folders["problems/test"] / "problems.parquet"), problems)
        rows = table.to_dicts()
        prompts = [profile.prompt.render(row["question"]) for row in rows]
        yield Finished(folders, rows, prompts, profile.prompt, profile.thinking.step_tokens)
