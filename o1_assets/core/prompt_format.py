"""The prompt format of a profile: how a model is asked, and how its final answer is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from o1_assets.core.artifact import StageConfig
from o1_assets.core.boxes import boxed_answer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


BOXED = "\\boxed"
QUESTION = "{question}"


class PromptFormat(StageConfig):
    """The prompt of a question, the mark of its final answer, and the limit of a solution.

    `Profile.prompt` sets it, and the profile copies it into every stage that asks a model. All models of a run have
    learned from solutions in this format, so a stage with another one would measure the format, not the model.

    >>> format = PromptFormat(template="Q: {question}\\nA:", answer_prefix="answer")
    >>> format.render("3 + 4 = ?"), format.answer("3 + 4 = 7\\nanswer 7")
    ('Q: 3 + 4 = ?\\nA:', '7')
    """

    template: str = Field("{question}\n", description="the prompt; {question} stands for the question")
    answer_prefix: str = Field(
        "answer",
        min_length=1,
        description=r'how the line with the final answer begins: "answer", "####"; or "\boxed"',
    )
    max_tokens: int = Field(64, gt=0, description="longest solution, in tokens")

    @model_validator(mode="after")
    def _the_question_is_asked(self) -> Self:
        if QUESTION not in self.template:
            raise ValueError(f"template has no {QUESTION}, so that no question would be asked")
        return self

    def render(self, question: str) -> str:
        # Not str.format: a template that asks for \boxed{} and a question in LaTeX are full of braces.
        return self.template.replace(QUESTION, question)

    def encode(self, tokenizer: PreTrainedTokenizerBase, questions: Sequence[str]) -> list[list[int]]:
        """Token ids of each question's prompt, (questions, prompt tokens), not padded."""
        encoded: list[list[int]] = tokenizer([self.render(question) for question in questions])["input_ids"]
        return encoded

    def answer(self, text: str) -> str | None:
        """The final answer in a solution or a step; None if it has none."""
        return extract_answer(text, self.answer_prefix)

    @property
    def answer_start(self) -> str:
        """The text that is appended to make the model answer now (budget forcing: s1, arXiv:2501.19393)."""
        prefix = self.answer_prefix.strip().rstrip("{")
        return prefix + ("{" if prefix == BOXED else " ")

    def scaled(self, factor: float) -> PromptFormat:
        """The same format with a limit `factor` times as long, for problems whose solutions are longer."""
        return self.model_copy(update={"max_tokens": round(self.max_tokens * factor)})


def extract_answer(text: str, answer_prefix: str) -> str | None:
    """The text after the answer prefix on the last line that starts with it; None if no line does.

    answer_prefix: "answer" (nano), "####" (GSM8K), or "\\\\boxed", of which the last one counts wherever it stands,
    with those that are joined to it (`boxes.py`). Spaces around the prefix do not matter. A prefix that ends in a
    letter has to end a word in the line too: "answers 7" is no answer line.
    """
    if answer_prefix.strip().rstrip("{") == BOXED:
        return boxed_answer(text)
    marker = answer_prefix.strip()
    # From the end: a solution that corrects itself may hold several, and its last one is meant.
    # At line feeds alone, as steps are: str.splitlines knows eight more ends of a line.
    for line in reversed(text.split("\n")):
        line = line.strip()
        if not line.startswith(marker):
            continue
        rest = line[len(marker) :]
        if marker[-1:].isalnum() and rest[:1].isalnum():
            continue
        return rest.lstrip(" \t:").strip() or None
    return None
