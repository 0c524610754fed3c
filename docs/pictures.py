"""Makes README's pictures anew from what `make run` made: `make pictures`. Needs a Chromium (O1_CHROMIUM names it)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DOCS = Path(__file__).parent
O1 = DOCS.parent / ".venv" / "bin" / "o1"
QUESTION = "Calculate 8 - 9 - 1 + 4 * 2 + 6 - 10."
PHASE_1 = 'group:"4_phase_1"'
"""Of the graph as a whole no name could be read."""


def main() -> None:
    home = os.environ.get("O1_HOME", str(DOCS.parent / ".o1"))
    chromium = os.environ.get("O1_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("no Chromium was found; install one, or set O1_CHROMIUM to it")
    report = Path(home) / "nano" / "report.html"
    if not report.is_file():
        sys.exit(f"{report} is missing; `make run` writes it")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as folder:
        # Run as root, as in a container, Chromium refuses its sandbox; it opens pages of this machine alone.
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with labelling_link(Path(home) / "nano", Path(folder)) as link:
            picture(browser, link, "labeling-page.png", (1280, 760), a_step_is_wrong)
        with served("ui") as address:
            picture(
                browser, f"{address}/asset-groups~{quote(PHASE_1)}", "graph.png", (1240, 500), graph_is_drawn
            )
            picture(browser, f"{address}/assets/r10_prm", "asset.png", (1280, 900), page_is_filled)
        picture(browser, report.as_uri(), "report.png", (1020, 1640))
        tree = Path(folder) / "tree.html"
        subprocess.run(
            [O1, "ask", QUESTION, "--strategy", "adaptive", "--tokens", "768", "--tree", tree], check=True
        )
        picture(browser, tree.as_uri(), "thinking.png", (1360, 780))
        browser.close()


@contextmanager
def served(*command: str, **environment: str) -> Iterator[str]:
    """A server of ours on a free port; yields its address."""
    server = subprocess.Popen(
        [O1, *command, "--port", "0"], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        for line in server.stdout or ():
            if address := re.search(r"http://\S+", line):
                yield address[0]
                return
        sys.exit(f"o1 {' '.join(command)} ended before it said its address")
    finally:
        server.terminate()
        server.wait()


@contextmanager
def labelling_link(home: Path, folder: Path) -> Iterator[str]:
    """A labeller's link to a copy of the home, because whoever is invited to the real one stays so."""
    shutil.copytree(home, folder / "nano", ignore=shutil.ignore_patterns("dagster", "labeling.sqlite3"))
    with served("labels", "serve", "r03", O1_HOME=str(folder)):
        invite = [O1, "labels", "invite", "ann"]
        environment = {**os.environ, "O1_HOME": str(folder)}
        yield subprocess.run(
            invite, check=True, text=True, capture_output=True, env=environment
        ).stdout.strip()


def a_step_is_wrong(page: Page) -> None:
    page.wait_for_selector(".slot")
    page.keyboard.press("2")
    page.wait_for_selector(".slot.wrong")


def graph_is_drawn(page: Page) -> None:
    page.wait_for_selector("foreignObject", timeout=60_000)
    page.get_by_text("Hide navigation").click()
    page.reload()  # only what is drawn anew fits the wider pane
    page.wait_for_selector("foreignObject", timeout=60_000)
    page.wait_for_timeout(6000)  # the boxes fade in, and their states come after them


def page_is_filled(page: Page) -> None:
    page.get_by_text("held_out_auc").first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)


def picture(
    browser: Browser,
    address: str,
    name: str,
    size: tuple[int, int],
    wait: Callable[[Page], None] | None = None,
) -> None:
    """Of what a window of that size shows, in a palette of 256 colours, which is a third of the bytes."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    page.goto(address)
    if wait:
        wait(page)
    file = DOCS / name
    page.screenshot(path=file)
    page.close()
    Image.open(file).convert("RGB").quantize(256).save(file, optimize=True)
    print(f"{file.relative_to(DOCS.parent)}: {file.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
