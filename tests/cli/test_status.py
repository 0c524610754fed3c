"""`o1 status`: what a person reads."""

from __future__ import annotations

from o1_assets.cli.status import _artifact_lines


def test_what_is_missing_of_optional_parts_is_counted_and_everything_else_is_listed() -> None:
    def row(key: str, state: str, reason: str = "", digest: str | None = None) -> dict[str, str | None]:
        return {"key": key, "state": state, "reason": reason, "digest": digest}

    rows = [
        row("base/model", "fresh", digest="cb42f4147e84"),
        row("r00/prm", "missing", "never made"),
        row("circle/g0", "missing", "optional: `o1 run --with circle`"),
        row("mini/model", "stale", "r10/policy is stale", "0123456789ab"),
        row("mini/eval", "missing", "optional: `o1 run --with mini`"),
        row("circle/g1", "missing", "optional: `o1 run --with circle`"),
    ]
    optional = {"circle/g0", "circle/g1", "mini/model", "mini/eval"}
    assert [line.split(maxsplit=3) for line in _artifact_lines(rows, optional)] == [
        ["fresh", "base/model", "cb42f4147e84"],
        ["missing", "r00/prm", "-", "never made"],
        ["stale", "mini/model", "0123456789ab", "r10/policy is stale"],
        ["missing", "2", "artifacts", "-             optional: `o1 run --with circle`"],
        ["missing", "1", "artifact", "-             optional: `o1 run --with mini`"],
    ]
