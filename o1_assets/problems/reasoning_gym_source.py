"""Problems of any reasoning_gym generator (github.com/open-thought/reasoning-gym), by name and parameters.

The module is also a program: `python -m o1_assets.problems.reasoning_gym_source` draws in a process of its own for the
generators whose problems depend on Python's hash seed (`draw_with_fixed_hash_seed`).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from o1_assets.problems.canonical import arithmetic, canonical, flat_expression
from o1_assets.problems.config import Generator, ReasoningGymSource
from o1_assets.problems.problem import LeftOut, ProblemError, RawProblem
from o1_assets.problems.recompute import Doubtful, right_answer

if TYPE_CHECKING:
    from reasoning_gym.dataset import ProceduralDataset


CHUNK = 500
"""Draws from one dataset object. Some generators prepare all their items at once, so it cannot be endless."""

PROCESS_CHUNK = 50
"""Draws from one process of their own; it makes all of them before the first is used."""

_BOOKKEEPING = {"source_dataset", "source_index", "difficulty"}


def _fields(*names: str) -> Callable[[dict[str, Any]], str]:
    return lambda entry: json.dumps([entry["metadata"][name] for name in names], default=str)


# Generators that ask for the same thing in several wordings, and what it is that they ask for.
_CONTENT: dict[str, Callable[[dict[str, Any]], str]] = {
    "calendar_arithmetic": lambda entry: json.dumps(
        {k: v for k, v in entry["metadata"].items() if k not in _BOOKKEEPING}, sort_keys=True, default=str
    ),
    "complex_arithmetic": _fields("num1", "operation", "num2"),
    "countdown": lambda entry: json.dumps(
        [sorted(entry["metadata"]["numbers"]), entry["metadata"]["target"]]
    ),
    "family_relationships": lambda entry: (
        entry["question"].split("\n\n")[0] + _fields("person1", "person2")(entry)
    ),
    "fraction_simplification": _fields("numerator", "denominator"),
    "intermediate_integration": _fields("integrand", "variable"),
    "polynomial_equations": _fields("polynomial_expr", "variable"),
    "polynomial_multiplication": _fields("polynomial_expr"),
    "simple_equations": _fields("equation"),
    "simple_integration": _fields("integrand", "variable"),
}

# Their metadata holds the expression, so that the wording of the question need not be read.
_ARITHMETIC = {"basic_arithmetic", "chain_sum", "decimal_chain_sum", "products"}

_HASH_SEEDED = {
    "codeio", "composite", "intermediate_integration", "isomorphic_strings", "knight_swap",
    "polynomial_multiplication", "ransom_note", "word_ladder",
}  # fmt: skip
"""They walk through sets of text, so their problems depend on Python's hash seed."""

_REFUSED = {"time_intervals": "its problems depend on the present date"}


class ReasoningGymProblems:
    endless = True

    def __init__(self, config: ReasoningGymSource) -> None:
        self.generators = config.generators
        for generator in self.generators:
            _check(generator)

    def problems(self, seed: int) -> Iterator[RawProblem | LeftOut]:
        choose = random.Random(f"{seed} generators")
        seeds = [random.Random(f"{seed} {i}").getrandbits(31) for i in range(len(self.generators))]
        # Each item with the seed that makes it.
        streams = [enumerate(_draws(*pair), pair[1]) for pair in zip(self.generators, seeds, strict=True)]
        weights = [g.weight for g in self.generators]
        while True:
            # Each generator has a stream of its own, so a weight that changes moves no problem of the others.
            [index] = choose.choices(range(len(streams)), weights)
            yield _problem(self.generators[index], *next(streams[index]))


def open_dataset(generator: Generator, seed: int, size: int) -> ProceduralDataset:
    """Raises ProblemError where the generator or its parameters are not reasoning_gym's."""
    with warnings.catch_warnings():
        # Of one of its dependencies, which Python shows where it compiles them: at a user's first command.
        warnings.simplefilter("ignore", SyntaxWarning)
        import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if generator.name not in DATASETS:
        raise ProblemError(
            f"reasoning_gym has no generator {generator.name!r}; it has {', '.join(sorted(DATASETS))}."
        )
    try:
        return reasoning_gym.create_dataset(generator.name, seed=seed, size=size, **generator.parameters)
    except (TypeError, ValueError, AssertionError) as error:
        raise ProblemError(f"reasoning_gym's {generator.name} refuses its parameters: {error}.") from error


def _draws(generator: Generator, seed: int) -> Iterator[dict[str, Any] | Exception]:
    """The items of one endless dataset, chunk by chunk; in place of one that could not be made, the reason."""
    # reasoning_gym seeds item i with seed + i, so chunks continue each other.
    if generator.name in _HASH_SEEDED:
        for start in count(0, PROCESS_CHUNK):
            yield from draw_with_fixed_hash_seed(generator, seed + start, PROCESS_CHUNK)
    for start in count(0, CHUNK):
        dataset = open_dataset(generator, seed + start, CHUNK)
        for index in range(CHUNK):
            try:
                item: dict[str, Any] | Exception = dataset[index]
            except Exception as error:  # whatever one of a hundred generators trips over
                item = error
            yield item


def draw_with_fixed_hash_seed(generator: Generator, seed: int, size: int) -> list[dict[str, Any]]:
    """`size` items as JSON gives them back, the same in every process. Raises RuntimeError."""
    asked = {"name": generator.name, "parameters": generator.parameters, "seed": seed, "size": size}
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "o1_assets.problems.reasoning_gym_source"],
        input=json.dumps(asked), capture_output=True, text=True,
        # The hash seed is read when Python starts; it cannot be set in this process.
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": paths},
    )  # fmt: skip
    if finished.returncode:
        lines = finished.stderr.strip().splitlines() or ["it was killed"]
        raise RuntimeError(f"reasoning_gym's {generator.name} could not be drawn from: {lines[-1]}")
    return [json.loads(line) for line in finished.stdout.splitlines()]


def main() -> None:
    """Write one item a line for {name, parameters, seed, size} on standard input."""
    import reasoning_gym

    asked = json.load(sys.stdin)
    dataset = reasoning_gym.create_dataset(
        asked["name"], seed=asked["seed"], size=asked["size"], **asked["parameters"]
    )
    for index in range(asked["size"]):
        print(json.dumps(dataset[index], default=str))


def _problem(generator: Generator, seed: int, entry: dict[str, Any] | Exception) -> RawProblem | LeftOut:
    """The problem of an item, with the right answer; or why it has none."""
    name, place = generator.name, f"reasoning_gym/{generator.name}, seed {seed}"
    remedy = "nothing has to be done: others are drawn in its place"
    if isinstance(entry, Exception):
        return LeftOut(place, "reasoning_gym could not make it", remedy, f"{type(entry).__name__}: {entry}")
    try:
        answer = right_answer(name, entry)
    except Doubtful as reason:
        return LeftOut(place, str(reason), remedy, f"{' '.join(entry['question'].split())[:160]}")
    question, corrected = entry["question"], answer is not None and answer != entry["answer"]
    if corrected:
        entry["metadata"]["source_answer"], entry["answer"] = entry["answer"], answer
    if name in _CONTENT:
        content = f"{name} {_CONTENT[name](entry)}"
    else:
        bare = arithmetic(entry["metadata"]["expression"]) if name in _ARITHMETIC else None
        content = bare or canonical(question)
    expression = flat_expression(content)
    return RawProblem(
        question=question,
        answer=entry["answer"] if isinstance(entry["answer"], str) else "",
        canonical=content,
        grader=f"reasoning_gym:{name}",
        difficulty=len(expression.numbers) if expression is not None else _level(entry["metadata"]),
        source=f"reasoning_gym/{name}",
        metadata={**entry, "parameters": generator.parameters},
        corrected=corrected,
        place=place,
    )


def _level(metadata: dict[str, Any]) -> int:
    """The number of terms where a generator tells it, else 0: levels of other kinds do not compare."""
    terms = metadata.get("num_terms")
    return terms if isinstance(terms, int) else 0


def _check(generator: Generator) -> None:
    """Try the generator once. Raises ProblemError if its problems could not be trusted, or not be graded later."""
    if generator.name in _REFUSED:
        raise ProblemError(
            f"reasoning_gym's {generator.name} cannot be used: {_REFUSED[generator.name]}; take another."
        )
    dataset = open_dataset(generator, 0, CHUNK)
    try:
        entry = dataset[0]
    except Exception as error:
        raise ProblemError(
            f"reasoning_gym's {generator.name} fails with its parameters"
            f" ({type(error).__name__}: {error}); take others."
        ) from error
    # What is graded later has been through JSON, which makes lists of tuples and text of keys.
    stored = json.loads(json.dumps(entry, default=str))
    if entry["answer"] is not None and dataset.score_answer(entry["answer"], stored) < 1:
        raise ProblemError(
            f"reasoning_gym's {generator.name} does not accept its own answer once stored as JSON; take another."
        )


if __name__ == "__main__":
    main()
