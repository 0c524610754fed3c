"""Whether the base of a profile reads its problems: a tokenizer may lack symbols and words that a file holds.

A base that is pre-trained here knows the words of its world and nothing else. All that it does not know becomes one
token, so that a run on such problems would end well and teach nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from o1_assets.base.config import FolderBase, TrainedBase
from o1_assets.problems.config import FileSource, Gsm8kSource, MathSource, WordProblemsSource
from o1_assets.problems.problem import RawProblem

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from o1_assets.profiles.profile import Profile

MADE_OF_BOTH = frozenset(["base/model", "problems/train", "pool/train"])
"""Before one of these is made, the base is held against the problems."""

REMEDY = (
    'take a base that reads them (`base.kind = "folder"` with a checkpoint of yours, or that of the profile smol), or '
    "write the problems in its words"
)


@dataclass(frozen=True)
class Unread:
    """problems: how many of `of` the tokenizer does not know all of. example: where one of them stands. pieces: of it,
    what is not known."""

    problems: int
    of: int
    example: str
    pieces: str

    @property
    def most(self) -> bool:
        return 2 * self.problems > self.of

    def __str__(self) -> str:
        return (
            f"{self.problems} of {self.of} problems hold symbols that the base's tokenizer does not know (such as "
            f"{self.example}: {self.pieces})"
        )


def unread_problems(profile: Profile, wanted: Collection[str]) -> Unread | None:
    """The problems of a file that the base cannot read whole; None where it reads all, or that cannot be told before
    the run. wanted: keys that are about to be made."""
    from o1_assets.base.tokenizer import unknown_pieces
    from o1_assets.generator.samples import reference
    from o1_assets.problems.sources import open_source

    source, format = profile.problems.source, profile.sft_set.references
    if MADE_OF_BOTH.isdisjoint(wanted):
        return None
    match source:
        case (
            FileSource()
            | Gsm8kSource(folder=str())
            | MathSource(folder=str())
            | WordProblemsSource(folder=str())
        ):
            tokenizer = _tokenizer(profile)
        case _:
            return None
    if tokenizer is None or tokenizer.unk_token_id is None:
        return None
    problems = [p for p in open_source(source).problems(profile.seed) if isinstance(p, RawProblem)]
    texts = []
    for problem in problems:
        solution = problem.metadata.get("solution")
        worked = reference(format, solution, problem.answer) if format and isinstance(solution, str) else ""
        texts.append(f"{profile.prompt.render(problem.question)}{worked or problem.answer}")
    encoded = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    unread = [i for i, ids in enumerate(encoded) if tokenizer.unk_token_id in ids]
    if not unread:
        return None
    first = problems[unread[0]]
    place = first.place or repr(first.question[:60])
    return Unread(len(unread), len(problems), place, unknown_pieces(texts[unread[0]], tokenizer))


def _tokenizer(profile: Profile) -> PreTrainedTokenizerBase | None:
    """That of the base, where it can be had without fetching the base."""
    base = profile.base
    if isinstance(base, TrainedBase):
        from o1_assets.base.tokenizer import make_tokenizer
        from o1_assets.problems.worlds.registry import WORLDS

        return make_tokenizer(base.max_positions, WORLDS[base.world].vocabulary)
    if isinstance(base, FolderBase) and (Path(base.folder) / "config.json").is_file():
        from o1_assets.engine.checkpoint import load_tokenizer

        return load_tokenizer(Path(base.folder))
    return None
