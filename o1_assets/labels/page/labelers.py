"""Labellers by invitation: a link with a random token for each, of which the home keeps only a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from o1_assets.core.errors import O1Error
from o1_assets.labels.page.database import Database
from o1_assets.labels.schema import name_fault


class BadInvitation(O1Error, ValueError):
    """Nobody can be invited under this name; the message says why."""


@dataclass(frozen=True)
class Labeler:
    """is_lead: may see everybody's ratings, and may rate too."""

    name: str
    is_lead: bool
    invited: str


def invite(database: Database, name: str, is_lead: bool = False, renew: bool = False) -> str:
    """The token of a new labeller, or a new one of a known labeller, whose old link then works no more.

    Raises BadInvitation.
    """
    if not name.strip() or (fault := name_fault(name)):
        raise BadInvitation(f"{name!r} cannot name a labeller: it {fault if name.strip() else 'is empty'}")
    with database.transaction():
        if database.row("select 1 from labelers where name = ?", name) and not renew:
            raise BadInvitation(
                f"{name} is invited already, and the link is kept nowhere; --renew makes a new one, "
                "and the old one works no more"
            )
        # 256 bits: nobody guesses one, so its hash needs no salt and may be looked up.
        token = secrets.token_urlsafe(32)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        database.write(
            "insert into labelers values (?, ?, ?, ?) on conflict (name) do update "
            "set token_hash = excluded.token_hash, is_lead = excluded.is_lead",
            name, _hash(token), is_lead, now,
        )  # fmt: skip
    return token


def uninvite(database: Database, name: str) -> None:
    """The labeller's link works no more; what they rated stays. Raises BadInvitation."""
    with database.transaction():
        if not database.row("select 1 from labelers where name = ?", name):
            known = ", ".join(labeler.name for labeler in labelers(database)) or "nobody"
            raise BadInvitation(f"{name} is not invited; invited: {known}")
        database.write("delete from labelers where name = ?", name)


def labelers(database: Database) -> list[Labeler]:
    rows = database.rows("select name, is_lead, invited from labelers order by name")
    return [Labeler(row["name"], bool(row["is_lead"]), row["invited"]) for row in rows]


def labeler_of(database: Database, token: str) -> Labeler | None:
    """Whose token it is."""
    row = database.row("select name, is_lead, invited from labelers where token_hash = ?", _hash(token))
    return Labeler(row["name"], bool(row["is_lead"]), row["invited"]) if row else None


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
