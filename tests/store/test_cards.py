"""A card is what was written, or it is said that it is not."""

import pytest

from o1_assets.store.backend import DamagedError
from o1_assets.store.cards import UnsealedCard, card_name, read_card, write_card
from o1_assets.store.store import ArtifactStore

OLD, NEW = "20261122T080000.000000Z-a", "20261201T080000.000000Z-a"


def test_a_card_is_read_as_it_was_written(disk: ArtifactStore) -> None:
    assert read_card(disk.backend, "toy/a", NEW) is None
    assert write_card(disk.backend, "toy/a", NEW, "a card\n\n") == "a card\n"
    assert read_card(disk.backend, "toy/a", NEW) == "a card\n"


@pytest.mark.parametrize(
    ("version", "change", "error"),
    [
        (NEW, lambda content: content.replace(b"a card", b"A card"), DamagedError),
        (OLD, lambda content: content.replace(b"a card", b"A card"), DamagedError),
        (NEW, lambda content: content.splitlines(True)[0], DamagedError),  # its digest was taken away
        (OLD, lambda content: content.splitlines(True)[0], UnsealedCard),  # early releases wrote none
    ],
)
def test_a_card_that_is_not_what_was_written_is_refused(disk: ArtifactStore, version, change, error) -> None:
    write_card(disk.backend, "toy/a", version, "a card")
    name = card_name("toy/a", version)
    content = disk.backend.read(name)
    assert isinstance(content, bytes)
    disk.backend.write(name, change(content))
    with pytest.raises(error):
        read_card(disk.backend, "toy/a", version)
