"""The audit as one JSON document: what `o1 audit --json` prints and what the page shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from o1_assets.audit.result import Audit, Audited


def document(audit: Audit) -> dict[str, Any]:
    """
    {"key", "version", "digest": what was asked for, "ok": everything holds,
     "summary": {"artifacts", "versions", "files", "bytes", "batches", "lines", "broken": counts, "seconds"},
     "broken": [{"key", "version", "part", "message"}] in the order of the data; part: manifest, object, kind, input,
               cache key, cache, head, batch or label,
     "remarks": [{"message", "keys"}] what is not as it is today, and is not broken,
     "versions": [one a version of the ancestry, inputs first:
        {"key", "version", "digest", "ok", "broken", "remarks",
         "finished", "profile", "code_version", "config", "seed", "external", "cache_key", "rows", "figures", "cost",
         "environment": {"git_commit", "git_dirty", "python", "libraries", "hardware", "threads"},
         "inputs": [{"name", "key", "digest", "version"}], "files": [{"path", "size", "sha256"}],
         "labels": null or {"batches": [{"digest", "source", "lines", "rated_by": labeller -> lines, "name",
                   "received", "place"}], "rows": [{"batch", "labeler", "rows"}]}}]}

    Of a version whose manifest cannot be read only key, version, ok, broken, remarks and files are there.
    """
    return {
        "key": audit.key,
        "version": audit.version,
        "digest": audit.asked.manifest.digest if audit.asked.manifest else None,
        "ok": not audit.broken,
        "summary": audit.summary,
        "broken": [asdict(broken) for broken in audit.broken],
        "remarks": [{"message": message, "keys": keys} for message, keys in audit.remarks.items()],
        "versions": [_version(one) for one in audit.versions],
    }


def _version(one: Audited) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": one.key,
        "version": one.version,
        "ok": not one.broken,
        "broken": [asdict(broken) for broken in one.broken],
        "remarks": list(one.remarks),
        "files": list(one.files),
    }
    if one.manifest is None:
        return shown
    made = one.manifest.model_dump(mode="json", exclude={"key", "inputs", "sample", "format"})
    inputs = [{"name": name, **item.model_dump()} for name, item in one.manifest.inputs.items()]
    return {**shown, **made, "inputs": inputs, "labels": asdict(one.labels) if one.labels else None}
