"""PRM800K's published files from the Hub, at one commit, for `import_prm800k`."""

from __future__ import annotations

from pathlib import Path

REPO, REVISION = "tasksource/PRM800K", "547b19506677a59037ee888838834b65e9b1ddd4"
FILES = ("phase1_train.jsonl", "phase2_train.jsonl")
"""About 1 GB. The test files hold ratings of problems that MATH's test set is made of."""


class HubUnreachable(ValueError):
    """PRM800K could not be fetched; the message says what to do."""


def fetch_prm800k(folder: Path) -> Path:
    """Downloads FILES into `folder`, going on where it was stopped; returns it. Raises HubUnreachable."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            REPO, repo_type="dataset", revision=REVISION, allow_patterns=list(FILES), local_dir=folder
        )
    except Exception as error:  # whatever the network or the Hub's client comes up with: it cannot be had
        raise HubUnreachable(
            f"PRM800K could not be fetched from the Hub ({REPO}; {type(error).__name__}): check the network, or give "
            "a folder with its phase1_train.jsonl and phase2_train.jsonl"
        ) from error
    return folder
