"""Every relative link of a page leads to a file, and to a heading of it where it names one."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [
    *PROJECT.glob("*.md"),
    *(page for folder in ("docs", "deploy") for page in sorted((PROJECT / folder).rglob("*.md"))),
]


def anchor(heading: str) -> str:
    """As GitHub makes it: small letters, hyphens for spaces, everything else but letters and digits left out."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def broken(page: Path) -> list[str]:
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        if link.startswith(("http://", "https://")):
            continue
        if not target.exists():
            dead.append(link)
        elif heading and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            if heading not in map(anchor, headings):
                dead.append(link)
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_dead_link_and_a_dead_heading_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Two `words`, here\n[a](#two-words-here) [b](none.md) [c](page.md#three) [d](https://x.org/#y)"
    )
    assert broken(page) == ["none.md", "page.md#three"]
