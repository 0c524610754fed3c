import numpy as np

from o1_assets.core.seeds import uniforms

MASK = 2**64 - 1


def reference(seed: int, position: int) -> float:
    """The same in plain integers."""

    def mix(x: int) -> int:
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
        return x ^ (x >> 31)

    gamma = 0x9E3779B97F4A7C15
    return (mix((mix((seed + gamma) & MASK) + (position + 1) * gamma) & MASK) >> 11) / 2**53


def test_numbers_are_those_of_the_definition():
    seeds = [0, 1, 2**31, 2**63, MASK]
    for position in (0, 1, 99):
        expected = [reference(seed, position) for seed in seeds]
        assert uniforms(np.array(seeds, dtype=np.uint64), position).tolist() == expected


def test_numbers_are_uniform_over_seeds_and_over_positions():
    over_seeds = uniforms(np.arange(20_000, dtype=np.uint64), 5)
    over_positions = np.array([uniforms(np.array([3], dtype=np.uint64), p)[0] for p in range(5_000)])
    for numbers in (over_seeds, over_positions):
        counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
        expected = len(numbers) / 20
        assert ((counts - expected) ** 2 / expected).sum() < 45
    assert abs(np.corrcoef(over_seeds[:-1], over_seeds[1:])[0, 1]) < 0.03
