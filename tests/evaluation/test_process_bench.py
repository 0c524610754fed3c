"""ProcessBench's F1 of a PRM: thresholds that are fitted elsewhere, what cannot be read, and a real PRM in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from o1_assets.cli.main import app
from o1_assets.evaluation.process_bench import ProcessBenchError, document, measure, read_items, table
from o1_assets.labels.formats.process_bench import Item


def items(labels: list[int]) -> list[Item]:
    return [Item(f"problem {i}", ["a", "b", "c"], label) for i, label in enumerate(labels)]


def chances(labels: list[int], low: float) -> list[np.ndarray]:
    """Those of a PRM that is right: `low` at the first wrong step."""
    return [np.array([low if i == label else 0.8 for i in range(3)]) for label in labels]


def test_a_threshold_that_is_fitted_on_one_file_is_used_on_the_others() -> None:
    labels = [-1, 0, 1, 2, -1, 1]
    files = {"gsm8k": items(labels), "math": items(labels), "omni": items(labels)}
    scores = {"gsm8k": chances(labels, 0.4), "math": chances(labels, 0.4), "omni": chances(labels, 0.7)}
    measured = measure(files, scores, fit_on="gsm8k")
    assert [m.name for m in measured] == ["math", "omni"] and 0.4 < measured[0].threshold[0] < 0.8
    assert measured[0].result.f1 == 1 and (measured[0].low, measured[0].high) == (1, 1)
    # In omni the PRM is less sure, and with the threshold of another file it finds no error.
    fixed = measure({"omni": files["omni"]}, {"omni": scores["omni"]}, threshold=0.6)
    assert fixed[0].result.f1 == 0 and fixed[0].result.accuracy_right == 1
    assert measure({"omni": files["omni"]}, {"omni": scores["omni"]})[0].result.f1 > 0.8
    assert document(measured)["f1"] == np.mean([m.result.f1 for m in measured])
    assert table(measured)[-1].startswith("| mean |")


def test_what_cannot_be_read_counts_as_missed() -> None:
    labels = [-1, -1, 1, 1]
    scores = [*chances(labels, 0.1)[:1], None, *chances(labels, 0.1)[2:3], None]
    [measured] = measure({"f": items(labels)}, {"f": scores}, threshold=0.5)
    assert (
        measured.unreadable == 2 and measured.result.accuracy_wrong == measured.result.accuracy_right == 0.5
    )
    assert measured.low <= measured.result.f1 <= measured.high
    with pytest.raises(ProcessBenchError, match="can read none of the 4 solutions of f"):
        measure({"f": items(labels)}, {"f": [None] * 4}, threshold=0.5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[{"problem": "p"}]', "holds no solutions of ProcessBench"),
        ('{"problem": "p", "steps": ["a"], "label": 1}', "label 1 names none of its 1 steps"),
        ("[]", "has no solutions"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(ProcessBenchError, match=says):
        read_items(tmp_path / "f.json")


@pytest.mark.parametrize("classes", [2, 3])
def test_any_prm_in_a_folder_is_measured(
    classes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForTokenClassification

    from tests.digits import digit_tokenizer

    tokenizer = digit_tokenizer(128)
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1,
        num_key_value_heads=1, max_position_embeddings=128, num_labels=classes,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    LlamaForTokenClassification(config).save_pretrained(tmp_path / "prm")
    tokenizer.save_pretrained(tmp_path / "prm")
    rows = [
        {"id": str(i), "problem": f"What is 3 * {i} - 5?", "steps": [f"3*{i}={3 * i}", f"{3 * i}-5={3 * i - 5}"],
         "label": label, "final_answer_correct": label < 0}
        for i, label in enumerate([-1, 0, 1, -1, 1, 0])
    ]  # fmt: skip
    rows.append({"problem": "Who is it?", "steps": ["him"], "label": 0})
    (tmp_path / "gsm8k.json").write_text(json.dumps(rows))
    (tmp_path / "math.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.setenv("O1_HOME", str(tmp_path / "home"))
    files = [str(tmp_path / name) for name in ("gsm8k.json", "math.jsonl")]
    arguments = ["evaluate", "processbench", str(tmp_path / "prm"), *files, "--json"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.exception
    first, second = json.loads(shown.stdout)["files"]
    assert first["unreadable"] == 1 and first["wrong"] == 5 and first["right"] == 2
    assert first == second | {"name": "gsm8k"} and len(first["threshold"]) == 2
    wrong = CliRunner().invoke(app, ["evaluate", "processbench", "r07/prm", files[0]])
    assert "neither a folder with a config.json nor a key" in str(wrong.exception)
