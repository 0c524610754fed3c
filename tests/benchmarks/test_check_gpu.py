"""`make check-gpu` where there is no GPU: what it says, and the script itself at a tiny size, bfloat16 for the GPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import check_gpu


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which `make check-gpu` measures")
def test_without_a_gpu_one_sentence_says_so() -> None:
    with pytest.raises(SystemExit, match="no GPU here that torch can use"):
        check_gpu.main([])


def test_all_stages_run_in_both_precisions_and_agree(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_gpu.main(["--tiny", "--out", str(tmp_path / "gpu.json")])
    figures = json.loads((tmp_path / "gpu.json").read_text())
    assert (
        figures["agrees"] and figures["gpu"]["dtype"] == "bfloat16" and figures["cpu"]["dtype"] == "float32"
    )
    for device in ("gpu", "cpu"):
        assert figures[device]["stages"].keys() == {"sample", "score", "prm", "grpo"}
        assert all(row["tokens_a_second"] > 0 for row in figures[device]["stages"].values())
    # Were both computed in one precision, nothing would be compared.
    assert figures["compared"]["logprob"]["difference"] > 0
    assert "tokens/s" in capsys.readouterr().out
    other = {
        **figures["gpu"],
        "logprobs": [[value + 0.1 for value in row] for row in figures["gpu"]["logprobs"]],
    }
    wrong = check_gpu.differences(other, figures["cpu"])["logprob"]
    assert wrong["difference"] > wrong["tolerance"]
    broken = {**figures["gpu"], "prm": {"loss_first": float("nan"), "loss_last": 1.0}}
    assert check_gpu.differences(broken, figures["cpu"])["prm_loss"]["difference"] > 1
