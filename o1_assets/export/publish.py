"""`o1 publish`: an export as a repository of the Hugging Face Hub, private unless somebody says otherwise.

Only an untouched export is pushed: every file is compared with the digests that the export lists, so that what others
load is what the card's lineage is about.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1_assets.core.errors import O1Error
from o1_assets.export.folder import EXPORT_FILE, foreign

TOKEN = "HF_TOKEN"
ENDPOINT = "HF_ENDPOINT"
DEFAULT_ENDPOINT = "https://huggingface.co"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


class PublishError(O1Error):
    """The export was not published; the message says why and what to do."""


@dataclass(frozen=True)
class Published:
    """url: of the repository. commit: of the Hub's; None of a dry run, which asked nobody anything."""

    repository: str
    url: str
    private: bool
    key: str
    version: str
    digest: str
    files: list[str]
    megabytes: float
    commit: str | None


def publish(
    folder: Path,
    repository: str,
    *,
    public: bool = False,
    dry_run: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> Published:
    """Pushes an export. repository: OWNER/NAME. The token comes from HF_TOKEN alone, and goes to the Hub alone.

    Raises PublishError; before anything is sent if the folder is no untouched export, the repository has no such name,
    there is no token, or a public repository would be written to without `public`.
    """
    if not _NAME.fullmatch(repository):
        raise PublishError(f"{repository!r} is no name of a repository; write OWNER/NAME")
    about, files = _export(folder)
    endpoint = environment.get(ENDPOINT, DEFAULT_ENDPOINT).rstrip("/")
    planned = Published(
        repository=repository,
        url=f"{endpoint}/{repository}",
        private=not public,
        key=about["key"],
        version=about["version"],
        digest=about["digest"],
        files=files,
        megabytes=sum((folder / name).stat().st_size for name in files) / 1e6,
        commit=None,
    )
    if dry_run:
        return planned
    token = environment.get(TOKEN, "").strip()
    if not token:
        raise PublishError(
            f"there is no token of the Hub: set {TOKEN} to one of {endpoint}/settings/tokens that may write to "
            f"{repository}"
        )
    commit = _push(folder, planned, endpoint, token)
    return Published(**{**vars(planned), "commit": commit})


def _export(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """What the export says of itself, and all its files. Raises PublishError."""
    if not folder.is_dir() or not any(folder.iterdir()):
        raise PublishError(f"{folder} holds no export; `o1 export KEY {folder}` writes one")
    if why := foreign(folder):
        raise PublishError(f"{folder} {why}; export it again into an empty folder and publish that")
    about: dict[str, Any] = json.loads((folder / EXPORT_FILE).read_bytes())
    return about, sorted([EXPORT_FILE, *(entry["path"] for entry in about["files"])])


def _push(folder: Path, planned: Published, endpoint: str, token: str) -> str:
    """The commit of the Hub. Raises PublishError."""
    import httpx2  # what huggingface_hub speaks HTTP with
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    api = HfApi(endpoint=endpoint, token=token, library_name="o1-assets")
    try:
        try:
            known = api.repo_info(planned.repository)
        except RepositoryNotFoundError:
            api.create_repo(planned.repository, private=planned.private, exist_ok=True)
        else:
            # An upload does not change who may read a repository.
            if planned.private and not known.private:
                raise PublishError(
                    f"{planned.repository} is public already, and everybody would see the upload; "
                    "add --public if that is meant, or name another repository"
                )
        done = api.upload_folder(
            repo_id=planned.repository,
            folder_path=folder,
            # The list decides what the repository holds: files of an earlier export go.
            delete_patterns="*",
            commit_message=f"{planned.key} {planned.version}, digest {planned.digest}",
        )
    except HfHubHTTPError as error:
        message = (error.server_message or str(error).splitlines()[0]).replace(token, "...")
        raise PublishError(f"the Hub refused {planned.repository}: {message}") from None
    except (httpx2.HTTPError, OSError) as error:
        text = str(error).replace(token, "...").splitlines()
        raise PublishError(
            f"the Hub at {endpoint} could not be reached ({text[0] if text else type(error).__name__}); "
            "what was not yet uploaded is uploaded by the same command again"
        ) from None
    return str(done.oid)
