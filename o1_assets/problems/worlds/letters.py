"""Letters: how often one occurs in a word, counted one letter a step.

    Count R in 1s 2t 3r 4a 5w.
    1s no 0
    2t no 0
    3r yes 1
    ...
    answer 1

Each letter has a number, in the question too, which a solution repeats: what comes next is looked up by its number and
is not a copy from a distance that changes with every line. The letter that is asked for is a capital, a token of its
own: among letters of the word a small model did not find the one that it has to compare with.
"""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

from pydantic import Field

from o1_assets.problems.worlds.world import Corpus, Vocabulary, Working, World

LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_LETTERS = 12

ALIKE = dict(zip("bdmnuvpqil", "dbnmvuqpli", strict=True))
"""A letter, and the one that it is taken for."""

_NUMBERED = re.compile(r"Count ([A-Z]) in((?: [1-9][0-9]?[a-z])+)\.")
_QUOTE = "['\"]?"
_ASKED = re.compile(
    rf"(?:count|how (?:many|often))\b.*?{_QUOTE}\b([a-z])\b{_QUOTE}(?:'?s)?\b.*?"
    rf"\bin (?:the word )?{_QUOTE}([a-z]+){_QUOTE}[.?!]?",
    re.I,
)
_STEP = re.compile(r"([1-9][0-9]?)([a-z]) (yes|no) ([0-9]{1,2})")


class LettersCorpus(Corpus):
    """Counted letters, wrong where people's eyes are."""

    min_letters: int = Field(3, ge=1, description="letters of the shortest word")
    max_letters: int = Field(MOST_LETTERS, le=MOST_LETTERS, description="letters of the longest word")
    misconception_scale: float = Field(1.0, ge=0, description="factor on every misconception's rate")
    direct_rate: float = Field(0.1, ge=0, le=1, description="chance that a solution is the answer alone")
    direct_right_rate: float = Field(0.8, ge=0, le=1, description="chance that a direct answer is right")
    slip_rate: float = Field(0.003, ge=0, le=1, description="chance that a count is a random slip")
    notice_rate: float = Field(
        0.15, ge=0, le=1, description="chance that a wrong step is followed by a `wait`"
    )


# Shares of writers.
MISCONCEPTIONS = {
    "double_letter_once": 0.4,
    "alike_letters_too": 0.3,
    "last_letter_left_out": 0.15,
    "first_letter_left_out": 0.1,
}


class Count(NamedTuple):
    """What is asked: how often the letter occurs in the word."""

    word: str
    letter: str


class Line(NamedTuple):
    """A step: the letter at this place, whether it is counted, and how many are, up to it."""

    place: int
    letter: str
    counts: bool
    total: int

    def __str__(self) -> str:
        return f"{self.place}{self.letter} {'yes' if self.counts else 'no'} {self.total}"


class LettersWorld(World[Count, int, Line, LettersCorpus]):
    """A state is the number of letters that were looked at."""

    name = "letters"
    vocabulary = Vocabulary(
        symbols=("\n", *map(str, range(MOST_LETTERS + 1)), *LETTERS, *LETTERS.upper(), " ", "."),
        words=("Count ", " in", " yes ", " no ", "check ", "wait ", "answer "),
    )
    corpus = LettersCorpus
    step = _STEP
    description = (
        "letters that are counted one after another. The test problems' words are kept out of the corpus."
    )
    usual = "Count r in strawberry."
    unread = "it asks for no letter in a word"

    def draw(self, config: LettersCorpus, rng: Random) -> Count:
        letter = rng.choice(LETTERS)
        often = rng.choice((0.15, 0.35, 0.5))
        word = ""
        for _ in range(rng.randint(config.min_letters, config.max_letters)):
            chance = rng.random()
            # Letters that are taken for this one are frequent, so that it matters who takes them.
            alike = chance < often + 0.1 and letter in ALIKE
            word += letter if chance < often else ALIKE[letter] if alike else rng.choice(LETTERS)
        return Count(word, letter)

    def question(self, problem: Count) -> str:
        places = "".join(f" {place}{letter}" for place, letter in enumerate(problem.word, 1))
        return f"Count {problem.letter.upper()} in{places}."

    def parse(self, question: str) -> Count | None:
        """As the corpus asks, or as people do: "How many r's are in the word strawberry?"."""
        question = question.strip()
        if len(question) > 200:
            return None
        if match := _NUMBERED.fullmatch(question):
            problem = Count(re.sub(r"[ 0-9]", "", match[2]), match[1].lower())
            return problem if self.question(problem) == question else None
        asked = _ASKED.fullmatch(question)
        return Count(asked[2].lower(), asked[1].lower()) if asked else None

    def solved_by(self, problem: Count, answer: str) -> bool:
        return answer == str(problem.word.count(problem.letter))

    def content(self, problem: Count) -> str:
        return f"{problem.letter} in {problem.word}"

    def difficulty(self, problem: Count) -> int:
        return len(problem.word)

    def unusual(self, problem: Count, config: LettersCorpus) -> list[str]:
        if config.min_letters <= len(problem.word) <= config.max_letters:
            return []
        return [f"{len(problem.word)} letters, not {config.min_letters} to {config.max_letters}"]

    def solve(self, problem: Count, config: LettersCorpus, rng: Random) -> list[str]:
        word, letter = problem
        if rng.random() < config.direct_rate:
            right = rng.random() < config.direct_right_rate
            return [f"answer {word.count(letter) if right else rng.randint(0, 5)}"]
        held = {
            name for name, rate in MISCONCEPTIONS.items() if rng.random() < rate * config.misconception_scale
        }
        steps, total = list[str](), 0
        for place, seen in enumerate(word, 1):
            if place == len(word) and place > 1 and "last_letter_left_out" in held:
                break
            right = seen == letter
            counted = right or ("alike_letters_too" in held and ALIKE.get(seen) == letter)
            if place == 1 and "first_letter_left_out" in held:
                counted = False
            if place > 1 and word[place - 2] == seen and "double_letter_once" in held:
                counted = False
            slip = total > 0 and rng.random() < config.slip_rate
            steps.append(str(Line(place, seen, counted, total + counted - slip)))
            if (counted != right or slip) and rng.random() < config.notice_rate:
                held.clear()
                counted, slip = right, False
                steps.append(f"wait {Line(place, seen, counted, total + counted)}")
            total += counted - slip
        return [*steps, f"answer {total}"]

    def begin(self, problem: Count) -> int:
        return 0

    def read_step(self, text: str) -> Line | None:
        match = _STEP.fullmatch(text)
        return Line(int(match[1]), match[2], match[3] == "yes", int(match[4])) if match else None

    def take(self, problem: Count, state: int, move: Line) -> tuple[int | None, str]:
        """Kinds of error: place (not the next one), letter (another stands there), counts, total."""
        if move.place != state + 1 or move.place > len(problem.word):
            return None, "place"
        if move.letter != problem.word[state]:
            return None, "letter"
        if move.counts != (move.letter == problem.letter):
            return None, "counts"
        return (move.place, "right") if move == _line(problem, state) else (None, "total")

    def next_steps(self, working: Working[Count, int, Line]) -> list[str]:
        (word, letter), done = working.problem, working.state
        assert done is not None
        if done == len(word):
            return [f"answer {word.count(letter)}"]
        return [str(_line(working.problem, done))]


def _line(problem: Count, done: int) -> Line:
    """The right step after `done` letters."""
    word, letter = problem
    return Line(done + 1, word[done], word[done] == letter, word[: done + 1].count(letter))
