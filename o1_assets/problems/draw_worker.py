"""Draws problems in a process whose hash seed is fixed: some generators of reasoning_gym walk through sets of text.

Called as `python -m o1_assets.problems.draw_worker` with {generator, parameters, seed, size} on standard input;
writes one entry a line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def draw(generator: str, parameters: dict[str, Any], seed: int, size: int) -> list[dict[str, Any]]:
    """`size` entries as JSON gives them back, the same in every process. Raises RuntimeError."""
    question = {"generator": generator, "parameters": parameters, "seed": seed, "size": size}
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "o1_assets.problems.draw_worker"],
        input=json.dumps(question), capture_output=True, text=True,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": paths},
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it was killed"]
        raise RuntimeError(f"reasoning_gym's {generator} could not be drawn from: {said[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def main() -> None:
    import reasoning_gym

    asked = json.load(sys.stdin)
    dataset = reasoning_gym.create_dataset(
        asked["generator"], seed=asked["seed"], size=asked["size"], **asked["parameters"]
    )
    for index in range(asked["size"]):
        print(json.dumps(dataset[index], default=str))


if __name__ == "__main__":
    main()
