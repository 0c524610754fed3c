"""Settings that no result could be measured with are refused before anything is trained."""

from __future__ import annotations

import pytest

from o1_assets.profiles.load import ProfileError, load_profile


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("ablations.verifiers.compared=[200]", "verifiers.compared has 200"),
        ("ablations.verifiers.n=100", "powers of two"),
        ("ablations.pools.samples=32", "verifiers.n is 64, but pools.samples only 32"),
        ("ablations.pools.samples=127", "rounds.best_of is 64, whose subsets are drawn from 128 samples"),
        ("ablations.versions.best_of=256", "versions.best_of is 256"),
        ('ablations.rl.arms=["bothsum"]', "no arm 'bothsum'"),
        ("ablations.rl.round=12", "ablations.rl.round is 12; the rounds are 0 to 10"),
        ("ablations.search_in_rl.round=11", "ablations.search_in_rl.round is 11"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(settings: str, says: str) -> None:
    with pytest.raises(ProfileError, match=says):
        load_profile("nano", settings)
