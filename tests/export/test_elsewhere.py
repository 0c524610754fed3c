"""An export under vLLM and under lm-eval, each for real in an environment of its own: `make test-export`.

The checkpoint is the newest policy of a finished run, if O1_TEST_HOME (or .o1) has one, else an untrained model of
nano's shape: what is compared is the greedy text, letter by letter.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import polars as pl
import pytest

from o1_assets.core.engine import SamplingParams
from o1_assets.core.prompt_format import extract_answer
from o1_assets.core.settings import PROJECT, Settings
from o1_assets.engine.transformers_engine import TransformersEngine
from o1_assets.export.export import export
from o1_assets.store.store import ArtifactStore
from tests.export import world

VLLM, LM_EVAL = os.environ.get("O1_TEST_VLLM"), os.environ.get("O1_TEST_LM_EVAL")


PROBLEMS = 24


TASK = Path(__file__).with_name("lm_eval_arithmetic.yaml")


pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    store = finished()
    head = store.head("problems/test") if store else None
    if store is None or head is None:
        return [
            {"question": f"Calculate {a} + {b} * {a}.", "answer": str(a + b * a)}
            for a in range(8) for b in range(8)
        ][:PROBLEMS]  # fmt: skip
    table = pl.read_parquet(store.path(head.digest) / "problems.parquet").sort("problem_id").head(PROBLEMS)
    return table.select("question", "answer").to_dicts()


@pytest.fixture(scope="module", params=["policy", "mini"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("elsewhere")
    store = finished()
    if request.param == "mini":
        if store is None or store.head("mini/model") is None:
            pytest.skip(
                "o1-mini was not made: `o1 run --with mini`, and O1_TEST_HOME for another home than .o1"
            )
        export(store, "mini/model", root / "mini")
        return root / "mini"
    if store is None:
        export(world.make_store(root), "r00/policy", root / "policy")
    else:
        newest = max(key for key in (f"r{k:02d}/policy" for k in range(100)) if store.head(key))
        export(store, newest, root / "policy")
    return root / "policy"


@pytest.fixture(scope="module")
def tokens(folder: Path) -> int:
    """The export's own limit of new tokens, which vLLM and transformers keep to whatever else is asked for."""
    return int(json.loads((folder / "generation_config.json").read_text())["max_new_tokens"])


@pytest.fixture(scope="module")
def greedy(folder: Path, problems: list[dict[str, str]], tokens: int) -> list[str]:
    """Of our engine."""
    engine = TransformersEngine.open(folder)
    samples = engine.sample(
        prompts(engine, problems), SamplingParams(tokens, temperature=0), range(len(problems))
    )
    return [str(engine.tokenizer.decode(s.token_ids, skip_special_tokens=True)) for s in samples]


def finished() -> ArtifactStore | None:
    settings = Settings.load("nano", os.environ.get("O1_TEST_HOME") or PROJECT / ".o1")
    store = ArtifactStore(settings.store, settings.work)
    return store if Path(settings.store).is_dir() and store.head("r00/policy") else None


def prompts(engine: TransformersEngine, problems: list[dict[str, str]]) -> list[list[int]]:
    encoded: list[list[int]] = engine.tokenizer([p["question"] + "\n" for p in problems])["input_ids"]
    return encoded


GENERATE = """
import json, sys
from vllm import LLM, SamplingParams

if __name__ == "__main__":  # vLLM starts a process that reads this file again
    llm = LLM(model=sys.argv[1], dtype="float32", max_model_len=256, enforce_eager=True)
    asked = [{"prompt_token_ids": ids} for ids in json.load(open(sys.argv[2]))]
    found = llm.generate(asked, SamplingParams(max_tokens=int(sys.argv[4]), temperature=0), use_tqdm=False)
    json.dump([one.outputs[0].text for one in found], open(sys.argv[3], "w"))
"""


@pytest.mark.skipif(not VLLM, reason="set O1_TEST_VLLM to a Python that has vLLM")
def test_vllm_writes_the_same_greedy_text(
    folder: Path, problems: list[dict[str, str]], greedy: list[str], tokens: int, tmp_path: Path
) -> None:
    encoded = prompts(TransformersEngine.open(folder), problems)
    (tmp_path / "prompts.json").write_text(json.dumps(encoded))
    (tmp_path / "generate.py").write_text(GENERATE)
    files = [str(tmp_path / name) for name in ("prompts.json", "texts.json")]
    elsewhere(str(VLLM), [str(tmp_path / "generate.py"), str(folder), *files, str(tokens)], tmp_path)
    assert same(json.loads((tmp_path / "texts.json").read_text()), greedy) >= 0.95 * len(problems)


@pytest.mark.skipif(not LM_EVAL, reason="set O1_TEST_LM_EVAL to a Python that has lm-eval")
def test_lm_eval_s_hf_model_writes_the_same_greedy_text_and_counts_what_we_count(
    folder: Path, problems: list[dict[str, str]], greedy: list[str], tokens: int, tmp_path: Path
) -> None:
    data = tmp_path / "problems.jsonl"
    data.write_text("".join(json.dumps(problem) + "\n" for problem in problems))
    (tmp_path / "tasks").mkdir()
    task = TASK.read_text().replace("DATA", str(data)).replace("TOKENS", str(tokens))
    (tmp_path / "tasks" / TASK.name).write_text(task)
    elsewhere(
        str(LM_EVAL),
        [
            "-m", "lm_eval", "--model", "hf", "--model_args", f"pretrained={folder},dtype=float32",
            "--tasks", "o1_arithmetic", "--include_path", str(tmp_path / "tasks"), "--device", "cpu",
            "--batch_size", "1", "--output_path", str(tmp_path / "out"), "--log_samples",
        ],
        tmp_path,
    )  # fmt: skip
    (result,) = (tmp_path / "out").rglob("results_*.json")
    (samples,) = (tmp_path / "out").rglob("samples_*.jsonl")
    rows = sorted(
        (json.loads(line) for line in samples.read_text().splitlines()), key=lambda row: row["doc_id"]
    )
    texts = [row["resps"][0][0] for row in rows]
    assert same(texts, greedy) >= 0.95 * len(problems)
    right = [extract_answer(t, "answer ") == p["answer"] for t, p in zip(texts, problems, strict=True)]
    found = json.loads(result.read_text())["results"]["o1_arithmetic"]["exact_match,answer"]
    assert found == pytest.approx(sum(right) / len(right))


def same(texts: list[str], greedy: list[str]) -> int:
    """How many are letter by letter ours. A tie of two tokens may be broken by another batch's last bits."""
    return sum(a.strip() == b.strip() for a, b in zip(texts, greedy, strict=True))


def elsewhere(python: str, arguments: list[str], tmp_path: Path) -> None:
    """Runs another environment's Python, offline, with caches of its own."""
    home = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    cores = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "VLLM_CPU_KVCACHE_SPACE": "1"}
    done = subprocess.run(
        [python, *arguments],
        env={**os.environ, **home, **cores},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
