"""What a judge is asked, from a file: the built-in prompt beside this module, or a profile's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from o1_assets.core.errors import O1Error
from o1_assets.labels.config import JudgeConfig

BUILT_IN_PROMPT = Path(__file__).with_name("judge_prompt.txt")


class JudgeError(O1Error):
    """The judge cannot go on rating; the message says why and what to do. What it answered is kept."""


def prompt_text(template: str | None) -> str:
    """The prompt of a file, or the built-in one. Raises JudgeError."""
    file = BUILT_IN_PROMPT if template is None else Path(template).expanduser()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JudgeError(
            f"{file}, the judge's prompt, cannot be read ({reason}); correct judge.template"
        ) from error
    for name in ("{problem}", "{steps}"):
        if name not in text:
            raise JudgeError(
                f"{file}, the judge's prompt, has no {name}; it needs {{problem}} and {{steps}}, and may have "
                "{answer}, {before} and {first}"
            )
    return text


def prompt_digest(template: str | None) -> str:
    """Sixteen hex digits over the prompt; "absent" where it cannot be read, which is said when it is needed."""
    try:
        return text_digest(prompt_text(template))
    except JudgeError:
        return "absent"


def text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def check_judge(config: JudgeConfig) -> None:
    """Raises JudgeError if the judge cannot be asked at all: no model is named, or its prompt cannot be used."""
    if not config.model:
        raise JudgeError(
            "the annotator judge has no model: `--set judge.model=NAME` names it as its server does, and "
            f"`--set judge.url=URL` the server ({config.url})"
        )
    prompt_text(config.template)
