"""`o1 audit`: where an artifact came from, verified, for a person, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path

from o1_assets.audit.audit import audit
from o1_assets.audit.differences import Today
from o1_assets.audit.lines import Homes
from o1_assets.audit.result import Audit
from o1_assets.cli.common import write_page
from o1_assets.core.errors import O1Error
from o1_assets.core.settings import Settings
from o1_assets.execution.environment import environment
from o1_assets.graph import build_graph
from o1_assets.labels.inbox.inbox import Inbox
from o1_assets.profiles.load import load_profile
from o1_assets.store.store import ArtifactStore

HTML = "--html"


class AuditFailed(O1Error):
    """Something in the ancestry is not as it was recorded; the message names the first broken link."""


def run_audit(settings: Settings, key: str, version: str | None = None) -> Audit:
    """Raises StoreError when there is no such version, ProfileError."""
    profile = load_profile(settings.profile)
    today = Today(build_graph(profile, settings), environment(profile.threads))
    homes = Homes(Inbox(settings.inbox), settings.imported)
    store = ArtifactStore(settings.store, settings.work)
    return audit(store, key, version, today=today, homes=homes)


def show(result: Audit, as_json: bool, html: Path | None) -> None:
    """Prints the audit, and writes the page if asked to. Raises PageError; AuditFailed after that if anything is
    broken."""
    if html is not None:
        from o1_assets.audit.page import page

        write_page(html, page(result), HTML)
    if as_json:
        from o1_assets.audit.result import document

        print(json.dumps(document(result), indent=1))
    else:
        from o1_assets.audit.text import console, render

        console().print(render(result))
        if html is not None:
            print(f"page: {html}")
    if result.broken:
        raise AuditFailed(str(result.broken[0]))
