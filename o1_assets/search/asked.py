"""What was answered to questions, as JSON and as lines for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from o1_assets.search.question import Question
from o1_assets.search.thinking import Thinking
from o1_assets.search.trace import Trace

# What the check of the problem itself says of an answer; None where it has none.
CHECKED = {
    True: " (checked: it solves the problem)",
    False: " (wrong: it does not solve the problem)",
    None: "",
}


@dataclass(frozen=True)
class Asked:
    """Questions and the traces of their searches.

    models: key -> digest of the models that were used, the policy first. loading: seconds until they were loaded.
    seconds: of thinking, about all questions together. refused: a sentence for each question that could not be asked.
    """

    questions: list[Question]
    traces: list[Trace]
    thinking: Thinking
    models: dict[str, str]
    loading: float
    seconds: float
    refused: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        limit = self.thinking.seconds
        budget = f"{self.thinking.budget.tokens} tokens" if limit is None else f"{limit:g} s"
        return f"{next(iter(self.models))}, {self.thinking.name}, budget {budget}"

    def page(self) -> str:
        """What was thought on the way, as an interactive HTML page."""
        from o1_assets.search.show import render

        trees = [(q.text, trace) for q, trace in zip(self.questions, self.traces, strict=True)]
        return render(trees, self.title)

    def to_json(self) -> dict[str, Any]:
        return {
            "answers": [_answer(q, t) for q, t in zip(self.questions, self.traces, strict=True)],
            "refused": self.refused,
            "strategy": self.thinking.name,
            "budget_tokens": self.thinking.budget.tokens,
            "budget_seconds": self.thinking.seconds,
            "seconds": round(self.seconds, 3),
            "loading_seconds": round(self.loading, 3),
            "models": self.models,
        }

    def lines(self) -> Iterator[str]:
        """The lines for a person: each step with P(right) by the PRM, and the answer."""
        for question, trace in zip(self.questions, self.traces, strict=True):
            yield question.text
            if question.picture:
                yield question.picture
            steps = trace.path()
            width = max((len(seen.node.text.strip()) for seen in steps), default=0)
            for seen in steps:
                # A strategy that reads no PRM has no opinion about a step.
                opinion = "" if seen.right is None else f"   {seen.right:.2f}"
                forced = "   asked for: no answer was offered" if seen.node.forced else ""
                yield f"  {seen.node.text.strip():{width}}{opinion}{forced}".rstrip()
            answer = trace.result.answer.answer
            if answer is None:
                yield "no answer was reached; more --tokens may help"
            else:
                yield f"answer: {answer}{CHECKED[trace.result.answer.passes]}"
            yield ""
        tokens = sum(trace.result.tree.tokens_generated for trace in self.traces)
        yield f"{self.title}; {tokens} tokens generated, {self.seconds:.1f} s"


def _answer(question: Question, trace: Trace) -> dict[str, Any]:
    tree, answer = trace.result.tree, trace.result.answer
    return {
        "question": question.asked,
        "read_as": question.text,
        "unusual": list(question.unusual),
        "answer": answer.answer,
        "forced": answer.forced,
        "passes": answer.passes,
        "score": trace.nodes[answer.index].score,
        "steps": [
            {
                "text": seen.node.text.strip(),
                "right": seen.right,
                "score": seen.score,
                "prior": seen.prior,
                "q": seen.node.q,
            }
            for seen in trace.path()
        ],
        "votes": trace.votes(),
        "tokens": {"generated": tree.tokens_generated, "scored": tree.tokens_scored},
        "nodes": len(tree.nodes) - 1,
    }
