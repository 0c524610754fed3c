"""The worlds, and which of them a base, a row of a table or a question belongs to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, Field, SerializeAsAny, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.problems.worlds.arithmetic import world as arithmetic
from o1_assets.problems.worlds.code.world import CodeWorld
from o1_assets.problems.worlds.countdown.world import CountdownWorld
from o1_assets.problems.worlds.instructed import InstructedWorld
from o1_assets.problems.worlds.letters import LettersWorld
from o1_assets.problems.worlds.sudoku import SudokuWorld
from o1_assets.problems.worlds.tic_tac_toe import TicTacToeWorld
from o1_assets.problems.worlds.world import Corpus, World

# Countdown stands first: reasoning_gym keeps an expression with its problems too, which is one solution of many.
WORLDS: dict[str, World] = {
    world.name: world
    for world in (
        CountdownWorld(),
        arithmetic.WORLD,
        CodeWorld(),
        LettersWorld(),
        TicTacToeWorld(),
        SudokuWorld(),
        # Behind arithmetic, whose rows are its own.
        InstructedWorld(),
    )
}


class OfWorld(StageConfig):
    """A configuration that names a world, with the configuration of its corpus."""

    world: str = Field(description="name of a world: problems/worlds/registry.py")
    # Else a corpus would be written as the class that all of them have in common.
    corpus: SerializeAsAny[Corpus]

    @model_validator(mode="before")
    @classmethod
    def _corpus_is_of_the_world(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        name = values.get("world")
        if name not in WORLDS:
            raise ValueError(f"there is no world {name!r}; there are {', '.join(WORLDS)}")
        corpus = values.get("corpus", {})
        if isinstance(corpus, Corpus):
            corpus = corpus.model_dump()
        return {**values, "corpus": WORLDS[name].corpus.model_validate(corpus)}


# Many solutions share a problem, and are rated one after another.
@lru_cache(maxsize=1 << 14)
def read_problem(metadata: str) -> tuple[World, Any] | None:
    """The world of a row of problems.parquet, and its problem there; None where it is of none. Never raises."""
    for world in WORLDS.values():
        if (problem := world.stored(metadata)) is not None:
            return world, problem
    return None


def self_check(question: str, answer: str) -> bool | None:
    """Whether the answer passes the check that its question allows, without an answer key; None where it allows none.

    question: or a prompt that holds it.

    >>> self_check("Use 3, 7, 8 and 2 to make 24.", "((7-3)+8)*2"), self_check("What is 3 * 4 - 5?", "7")
    (True, None)
    """
    asked = _checkable(question)
    return None if asked is None else asked[0].solved_by(asked[1], answer)


# A search checks hundreds of answers to one question.
@lru_cache(maxsize=1 << 10)
def _checkable(question: str) -> tuple[World, Any] | None:
    for world in WORLDS.values():
        if world.checkable and (problem := world.parse(question)) is not None:
            return world, problem
    return None


def unused_worlds(profile: BaseModel) -> frozenset[str]:
    """The modules of the worlds that no row and no model of the profile is of.

    A profile names its worlds: as the world of a base or of a source, or as a generator of reasoning_gym. Arithmetic
    alone is read from rows of many names, and a file may hold rows of any world.
    """
    values = set(_texts(profile.model_dump(mode="json")))
    if "file" in values:
        return frozenset()
    unused = [world for name, world in WORLDS.items() if name not in {*values, arithmetic.WORLD.name}]
    return frozenset(f"{__package__}.{_module(world)}" for world in unused)


def _module(world: World) -> str:
    """The file or the folder in this one that the world is written in."""
    return type(world).__module__.removeprefix(f"{__package__}.").partition(".")[0]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
