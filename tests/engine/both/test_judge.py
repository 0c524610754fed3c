"""A judge behind vLLM's own server, in `make test-vllm`'s environment: its structured output is what a judge asks for.

The model is a Llama of random weights with a token for each byte. Biases close its strings and lists, so that an answer
is short; what may stand where is the grammar's doing, which vLLM made of the judge's schema.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from o1_assets.labels.annotators.annotator import SolutionPath
from o1_assets.labels.annotators.judge import open_judge
from o1_assets.labels.annotators.judge_prompt import JudgeError
from o1_assets.labels.config import JudgeConfig, JudgeLimits

START_SECONDS = 900
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"
# What wins where several may stand: a string is closed at once, an array is begun with an entry and ended after it.
# Between two tokens of JSON the grammar allows white space, which a model of random weights writes without end.
BIASES = {'"': 100.0, "{": 90.0, "]": 80.0, ",": 70.0, "1": 50.0} | dict.fromkeys("ĠĉĊč", -100.0)


@pytest.fixture(scope="module")
def byte_llama(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """A checkpoint with a chat template, and the biases by token id."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("byte-llama")
    letters = ["<|end|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=letters[0], pad_token=letters[0], chat_template=TEMPLATE
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape: Any = {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 4096, "eos_token_id": 0, "bos_token_id": None, "pad_token_id": 0,
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(vocab_size=len(letters), **shape)).save_pretrained(folder)
    return folder, {str(letters.index(text)): bias for text, bias in BIASES.items()}


@pytest.fixture(scope="module")
def vllm_server(with_vllm_server: None, byte_llama: tuple[Path, Any]) -> Iterator[str]:
    """The address of `vllm serve` on the checkpoint."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # From another folder: the server is vLLM's alone, and knows nothing of this project.
    folder = byte_llama[0]
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--host", "127.0.0.1",
        "--port", str(port), "--served-model-name", "judge", "--dtype", "float32", "--max-model-len", "4096",
        "--enforce-eager", "--max-num-seqs", "8",
    ]  # fmt: skip
    quiet = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR", "VLLM_CPU_KVCACHE_SPACE": "1"}
    log = folder.parent / "vllm.log"
    with log.open("w") as out:
        server = subprocess.Popen(
            # A session of its own: the server computes in a process that would outlive it.
            command,
            cwd=folder.parent,
            env={**os.environ, **quiet},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                    break
            time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def with_vllm_server() -> None:
    from o1_assets.engine.open import EngineMissing, require_engine

    try:
        require_engine("vllm")
    except EngineMissing as error:
        pytest.skip(str(error))


@pytest.mark.timeout(1500)
def test_vllm_holds_its_answers_to_the_judges_schema(
    vllm_server: str, byte_llama: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    problem = {"question": "What is 2 * 3 + 4?", "answer": "10"}
    paths = [SolutionPath(problem, (text,)) for text in ("2 * 3 = 6", "2 * 3 = 7", "3 + 4 = 7")]
    config = JudgeConfig(
        url=vllm_server, model="judge", max_tokens=128, parameters={"logit_bias": byte_llama[1]}
    )
    with open_judge(
        config, JudgeLimits(timeout=300), tmp_path / "judge.sqlite", 1, lambda line: None
    ) as judge:
        ratings = judge.rate_paths(paths)
        # Neither refused nor asked for in a simpler form, and nothing was asked twice.
        assert judge.server.form == "json_schema" and judge.server.retries == 0
    assert ratings == [[1]] * 3
    # Without the schema the same model writes no answer that could be read.
    free = config.model_copy(update={"structured": "none", "attempts": 1})
    with (
        open_judge(free, JudgeLimits(timeout=300), tmp_path / "free.sqlite", 1, lambda line: None) as judge,
        pytest.raises(JudgeError, match="could be used"),
    ):
        judge.rate_paths(paths[:1])
