"""The digests that the mini graph's artifacts had on one machine.

A change of the code that should change no result is compared with them.

    python -m tests.same_bytes                      # the loop, about a minute
    python -m tests.same_bytes --with thinking      # an optional part too
    python -m tests.same_bytes --with ablations --write    # after a change that is meant to change results
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from o1_assets.core.settings import Settings
from o1_assets.execution.environment import environment
from o1_assets.store.store import ArtifactStore
from tests.mini import MINI

RECORDED = Path(__file__).with_name("recorded_digests.json")


def circumstances() -> dict[str, str]:
    """What the bytes depend on beside the code: they are compared only where all of it is equal."""
    here = environment(threads=1)
    return {
        "hardware": here.hardware,
        **{name: here.libraries[name] for name in ("torch", "transformers", "trl")},
    }


def recorded() -> tuple[dict[str, str], dict[str, str]]:
    """(circumstances, digest by key) as they were recorded."""
    content = json.loads(RECORDED.read_text())
    return content["circumstances"], content["digests"]


def digests(home: Path) -> dict[str, str]:
    """The digest of every artifact in a mini home, by key."""
    settings = Settings.load("nano", home)
    store = ArtifactStore(settings.store, settings.work)
    heads = Path(settings.store) / "heads"
    keys = [file.relative_to(heads).with_suffix("").as_posix() for file in sorted(heads.rglob("*.json"))]
    return {key: head.digest for key, head in store.heads(set(keys)).items() if head}


def different(home: Path) -> list[str]:
    """Keys of artifacts in `home` whose bytes are not the recorded ones, in alphabetical order."""
    before = recorded()[1]
    return [key for key, digest in sorted(digests(home).items()) if before.get(key) != digest]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--with", dest="parts", action="append", default=[], metavar="PART")
    parser.add_argument("--write", action="store_true", help="record the digests instead of comparing them")
    parser.add_argument("--home", type=Path, help="keep what is made here, and go on from it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        home = arguments.home or Path(temporary)
        command = [sys.executable, "-W", "ignore", "-c", "from o1_assets.cli import main; main()", "run"]
        parts = [word for part in arguments.parts for word in ("--with", part)]
        environ = {**os.environ, "O1_HOME": str(home), "O1_SET": MINI}
        subprocess.run([*command, *parts], env=environ, check=True, stdout=subprocess.DEVNULL)
        if arguments.write:
            content = {"circumstances": circumstances(), "digests": {**recorded()[1], **digests(home)}}
            RECORDED.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
            return 0
        if circumstances() != recorded()[0]:
            print(
                "recorded under other circumstances:",
                *(f"{k} {v}" for k, v in recorded()[0].items()),
                sep="\n  ",
            )
        changed = different(home)
        print(*changed, sep="\n")
        print(f"{len(changed)} of {len(digests(home))} artifacts have other bytes than recorded")
        return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
