"""What an audit found: every version in the ancestry, what of it does not hold, and what is worth knowing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from o1_assets.store.manifest import Manifest

Part = Literal["manifest", "object", "kind", "input", "cache key", "cache", "head", "batch", "label"]


@dataclass(frozen=True)
class Broken:
    """A link that does not hold. part: what of the version it concerns; message: a clause that names it."""

    key: str
    version: str
    part: Part
    message: str

    def __str__(self) -> str:
        return f"{self.key} is not as recorded: {self.message}"


@dataclass(frozen=True)
class BatchTrail:
    """One batch behind rNN/label_batches.

    rated_by: labeller -> lines. place: where its lines lie: accepted, withdrawn, imported, or missing.
    """

    digest: str
    source: str
    lines: int
    rated_by: dict[str, int]
    name: str
    received: str
    place: str


@dataclass(frozen=True)
class LabelTrail:
    """What labels rest on. batches: of rNN/label_batches; rows: of rNN/labels, by batch and labeller."""

    batches: tuple[BatchTrail, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Audited:
    """One version. manifest: None if it cannot be read. files: path, size and SHA-256 of what its object holds."""

    key: str
    version: str
    manifest: Manifest | None
    broken: tuple[Broken, ...] = ()
    remarks: tuple[str, ...] = ()
    files: tuple[dict[str, Any], ...] = ()
    labels: LabelTrail | None = None


@dataclass(frozen=True)
class Audit:
    """versions: the ancestry, inputs first; the last one is what was asked about. seconds: how long it took."""

    key: str
    version: str
    versions: tuple[Audited, ...]
    seconds: float = field(default=0.0, compare=False)

    @property
    def asked(self) -> Audited:
        return self.versions[-1]

    @cached_property
    def broken(self) -> list[Broken]:
        """In the order of the data, so that the first one is the cause where one follows from another."""
        return [broken for version in self.versions for broken in version.broken]

    @cached_property
    def remarks(self) -> dict[str, list[str]]:
        """Remark -> the keys it holds for."""
        found: dict[str, list[str]] = {}
        for version in self.versions:
            for remark in version.remarks:
                found.setdefault(remark, []).append(version.key)
        return found

    @property
    def summary(self) -> dict[str, int | float]:
        batches = [batch for one in self.versions if one.labels for batch in one.labels.batches]
        return {
            "artifacts": len({one.key for one in self.versions}),
            "versions": len(self.versions),
            "files": sum(len(one.files) for one in self.versions),
            "bytes": sum(file["size"] for one in self.versions for file in one.files),
            "batches": len(batches),
            "lines": sum(batch.lines for batch in batches),
            "broken": len(self.broken),
            "seconds": round(self.seconds, 2),
        }


# The audit as one JSON document: what `o1 audit --json` prints and what the page shows.


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
