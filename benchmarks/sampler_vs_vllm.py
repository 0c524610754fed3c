"""Our sampler against vLLM on this machine's CPUs: baby-o1, 256 prompts in one call, temperature 1, two cores.

vLLM is in an environment of its own (`.venv-vllm`), so each of its contenders is a process of its own, which waits
while others are timed: one that has both cores, and two that each have one core and half of the prompts, as two servers
would. It has its own sampling, no log-probabilities, no detokenization, room for the whole batch, and its prefix cache
is off, because no prompt comes twice here. Ours gives log-probabilities too, which it always does. O1_BENCH=full adds
vLLM with its model compiled, for which it takes minutes at its start.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.race import race_rates, times_as_many
from benchmarks.registry import Figure
from o1_assets.core.settings import PROJECT

NAME = "sampler_vs_vllm"
BATCH, REPETITIONS = 256, 5


def compare() -> Mapping[str, Figure]:
    from benchmarks.models import POLICY, finished
    from o1_assets.core.engine import SamplingParams
    from o1_assets.engine.transformers_engine import TransformersEngine

    python = vllm_python()
    with finished(BATCH) as given, ExitStack() as stack:
        folder, longest = given.folders[POLICY], given.prompt.max_tokens
        engine = TransformersEngine.open(folder)
        prompts = [engine.tokenizer.encode(prompt, add_special_tokens=False) for prompt in given.prompts]
        half = BATCH // 2
        whole, *halves = (
            stack.enter_context(vllm(python, folder, part, longest, cores))
            for part, cores in ((prompts, [0, 1]), (prompts[:half], [0]), (prompts[half:], [1]))
        )

        def ours(repetition: int) -> int:
            seeds = [repetition * BATCH + i for i in range(BATCH)]
            return sum(len(s.token_ids) for s in engine.sample(prompts, SamplingParams(longest), seeds))

        contenders = {
            "ours": ours,
            "vLLM, one process of 2 threads": lambda repetition: asked([whole]),
            "vLLM, two processes of 1 thread": lambda repetition: asked(halves),
        }
        if os.environ.get("O1_BENCH") == "full":
            compiled = stack.enter_context(vllm(python, folder, prompts, longest, [0, 1], eager=False))
            contenders["vLLM compiled, one process of 2 threads"] = lambda repetition: asked([compiled])
        rates = race_rates(contenders, REPETITIONS)
    return {NAME: times_as_many(rates, f"at least 4; batch {BATCH}")}


def vllm_python() -> Path:
    """The Python that has vLLM. Raises SystemExit if there is none."""
    folder = Path(os.environ.get("O1_VLLM", PROJECT / ".venv-vllm"))
    if not (folder / "ready").exists():
        raise SystemExit(
            f"{folder} has no vLLM to compare with; run `make .venv-vllm/ready`, or name another: O1_VLLM=FOLDER"
        )
    return folder / "bin" / "python"


@contextmanager
def vllm(
    python: Path,
    folder: Path,
    prompts: Sequence[Sequence[int]],
    longest: int,
    cores: Sequence[int],
    eager: bool = True,
) -> Iterator[Any]:
    """A process that has the checkpoint open in vLLM on these cores; it has sampled once when the context begins."""
    own = os.cpu_count() or 1
    bound = {core for core in cores if core < own}
    process = subprocess.Popen(
        [str(python), "-W", "ignore", "-m", "benchmarks.vllm_process"],
        cwd=PROJECT,
        env={**os.environ, "OMP_NUM_THREADS": str(len(cores)), "OMP_WAIT_POLICY": "PASSIVE"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, bound),
    )
    try:
        opening = {"folder": str(folder), "prompts": prompts, "longest": longest, "threads": len(cores)}
        tell(process, {**opening, "eager": eager})
        answer(process)
        yield process
    finally:
        process.kill()
        process.wait()


def asked(processes: Sequence[Any]) -> int:
    """Tokens that these processes have sampled together, at once."""
    for process in processes:
        tell(process, {})
    return sum(answer(process) for process in processes)


def tell(process: Any, message: Mapping[str, Any]) -> None:
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def answer(process: Any) -> int:
    line = process.stdout.readline()
    if not line:
        print("vLLM's process has ended", file=sys.stderr)
        raise SystemExit(1)
    return int(json.loads(line))
