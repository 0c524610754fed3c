"""The result of an audit: every version in the ancestry, its broken links, and remarks.

`document` is the audit as JSON. `o1 audit --json` prints it, and the page shows it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from o1_assets.store.manifest import Manifest

Part = Literal["manifest", "object", "kind", "input", "cache key", "cache", "head", "card", "batch", "label"]

# Something that is not as recorded: the part of the version that it concerns, and a clause.
Fault = tuple[Part, str]


@dataclass(frozen=True)
class Broken:
    """A broken link. part: the part of the version that it concerns. message: a clause that names it."""

    key: str
    version: str
    part: Part
    message: str

    def __str__(self) -> str:
        return f"{self.key} is not as recorded: {self.message}"


@dataclass(frozen=True)
class BatchTrail:
    """One batch behind rNN/label_batches.

    rated_by: labeller -> number of lines. place: where the lines are: accepted, withdrawn, imported, or missing.
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
    """The origin of labels. batches: those of rNN/label_batches. rows: counts of rNN/labels by batch and labeller."""

    batches: tuple[BatchTrail, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class AuditedVersion:
    """One version. manifest: None if it cannot be read. files: path, size and SHA-256 of each file in its object."""

    key: str
    version: str
    manifest: Manifest | None
    broken: tuple[Broken, ...] = ()
    remarks: tuple[str, ...] = ()
    files: tuple[dict[str, Any], ...] = ()
    labels: LabelTrail | None = None

    @property
    def name(self) -> tuple[str, str]:
        return self.key, self.version

    @property
    def inputs(self) -> list[tuple[str, str]]:
        """Keys and versions of the inputs, each once; empty if the manifest cannot be read."""
        items = self.manifest.inputs.values() if self.manifest else ()
        return list(dict.fromkeys((item.key, item.version) for item in items))


@dataclass(frozen=True)
class Audit:
    """versions: the ancestry, inputs first; the last one is the audited version. seconds: how long the audit took."""

    key: str
    version: str
    versions: tuple[AuditedVersion, ...]
    seconds: float = field(default=0.0, compare=False)

    @property
    def asked(self) -> AuditedVersion:
        """The version that was asked about."""
        return self.versions[-1]

    # Cached: the verdict, the terminal and the page ask for both several times.
    @cached_property
    def broken(self) -> list[Broken]:
        """In the order of the data, so that the first one is the cause where one follows from another."""
        return [broken for version in self.versions for broken in version.broken]

    @cached_property
    def remarks(self) -> dict[str, list[str]]:
        """Remark -> the keys it holds for."""
        keys: dict[str, list[str]] = {}
        for version in self.versions:
            for remark in version.remarks:
                keys.setdefault(remark, []).append(version.key)
        return keys

    @property
    def summary(self) -> dict[str, int | float]:
        batches = [batch for version in self.versions if version.labels for batch in version.labels.batches]
        files = [file for version in self.versions for file in version.files]
        return {
            "artifacts": len({version.key for version in self.versions}),
            "versions": len(self.versions),
            "files": len(files),
            "bytes": sum(file["size"] for file in files),
            "batches": len(batches),
            "lines": sum(batch.lines for batch in batches),
            "broken": len(self.broken),
            "seconds": round(self.seconds, 2),
        }

    @property
    def verdict(self) -> str:
        """One line: whether everything is as recorded, and what was checked."""
        counts, broken = self.summary, len(self.broken)
        scope = f"{counts['versions']} versions of {counts['artifacts']} artifacts, {counts['files']} files, "
        scope += f"{counts['bytes'] / 2**20:.1f} MiB"
        if counts["batches"]:
            scope += f", {counts['batches']} label batches with {counts['lines']:,} lines"
        holds = f"{broken} link{'s' * (broken > 1)} broken" if broken else "everything is as it was recorded"
        return f"{holds} ({scope}; {self.seconds:.1f} s)"


def document(audit: Audit) -> dict[str, Any]:
    """The audit as one JSON document.

    {"key", "version", "digest": what was asked for, "ok": everything holds,
     "summary": {"artifacts", "versions", "files", "bytes", "batches", "lines", "broken": counts, "seconds"},
     "broken": [{"key", "version", "part", "message"}] in the order of the data; part: manifest, object, kind, input,
               cache key, cache, head, card, batch or label,
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
        "versions": [_version(version) for version in audit.versions],
    }


def _version(version: AuditedVersion) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "key": version.key,
        "version": version.version,
        "ok": not version.broken,
        "broken": [asdict(broken) for broken in version.broken],
        "remarks": list(version.remarks),
        "files": list(version.files),
    }
    if version.manifest is None:
        return shown
    # A sample of the rows is for the UI, and may be long.
    made = version.manifest.model_dump(mode="json", exclude={"key", "inputs", "sample", "format"})
    inputs = [{"name": name, **item.model_dump()} for name, item in version.manifest.inputs.items()]
    return {**shown, **made, "inputs": inputs, "labels": asdict(version.labels) if version.labels else None}
