import hashlib
import json
from pathlib import Path

import polars as pl
import pytest
from transformers import AutoTokenizer

from o1_assets.base.config import BaseConfig, CorpusConfig
from o1_assets.base.pretrain import make_base
from o1_assets.core.artifact import Task
from o1_assets.core.engine import SamplingParams
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.open import open_engine
from o1_assets.engine.steps import split_steps
from o1_assets.engine.training.lengths import TooLong
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.generator.samples import make_samples, make_sft_set, select
from o1_assets.generator.sft import encode, make_generator
from o1_assets.problems.solutions import sample_solutions
from tests.engine.training.interrupted import killed_then_resumed

BASE = BaseConfig(
    corpus=CorpusConfig(solutions=2_400, max_terms=2, max_number=3, misconception_scale=0.3, check_rate=0.0),
    batch_size=16,
    hidden_size=48,
    intermediate_size=64,
    layers=2,
    heads=2,
)


SFT = SftConfig(batch_size=8)


def problems() -> pl.DataFrame:
    expressions = [f"{a} {op} {b}" for a in range(4) for b in range(4) for op in "+-*"]
    return pl.DataFrame(
        [
            {
                "problem_id": hashlib.sha256(e.replace(" ", "").encode()).hexdigest()[:16],
                "question": f"Calculate {e}.",
                "answer": str(eval(e)),
                "grader": "reasoning_gym:basic_arithmetic",
                "metadata": json.dumps({"metadata": {"expression": e}}),
            }
            for e in expressions
        ]
    )


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class Chain:
    """Runs the stages base, samples, sft_set, generator in folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, part in (("train", problems()[::2]), ("test", problems()[1::2])):
            (root / name).mkdir()
            part.write_parquet(root / name / "problems.parquet")

    def make(self, compute, config, out, **inputs):
        folder = self.root / out
        folder.mkdir()
        sources = {name: self.root / source for name, source in inputs.items()}
        return compute(Task(inputs=sources, out=folder, seed=5, open_engine=open_engine), config)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    chain = Chain(tmp_path_factory.mktemp("chain"))
    chain.make(make_base, BASE, "base", test="test")
    chain.make(
        make_samples,
        SamplesConfig(per_problem=16, prompt=PromptFormat(max_tokens=24)),
        "samples",
        base="base",
        train="train",
    )
    chain.make(make_sft_set, SftSetConfig(per_problem=3), "sft_set", samples="samples", train="train")
    chain.outcome = chain.make(make_generator, SFT, "generator", base="base", sft_set="sft_set")
    return chain


def test_the_base_has_learnt_the_format_and_loads_with_plain_transformers(chain):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(chain.root / "base", dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(chain.root / "base")
    prompt = tokenizer("Calculate 2 + 1.\n", return_tensors="pt")
    out = model.generate(**prompt, max_new_tokens=24, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert out[-1] == tokenizer.eos_token_id == model.generation_config.eos_token_id
    assert tokenizer.decode(out, skip_special_tokens=True).splitlines()[-1].startswith("answer ")


def test_samples_are_graded_by_their_final_answer(chain):
    samples = pl.read_parquet(chain.root / "samples" / "solutions.parquet")
    train = {row["problem_id"]: row["answer"] for row in problems().iter_rows(named=True)}
    assert len(samples) == 24 * 16
    assert samples["solution_id"].n_unique() == len(samples)
    for row in samples.iter_rows(named=True):
        assert row["correct"] == (row["finished"] and row["answer"] == train[row["problem_id"]])
        assert row["steps"] == split_steps(row["text"])
    assert 0.05 < samples["correct"].mean() < 0.95


def test_the_sft_set_holds_distinct_correct_reasoned_solutions(chain):
    samples = pl.read_parquet(chain.root / "samples" / "solutions.parquet")
    kept = pl.read_parquet(chain.root / "sft_set" / "sft_set.parquet")
    joined = kept.join(samples, on="solution_id")
    assert len(joined) == len(kept) > 0
    assert joined["correct"].all()
    assert joined["steps"].list.len().min() >= 2
    assert kept.select("problem_id", "text").is_unique().all()
    assert kept["problem_id"].value_counts()["count"].max() <= 3


def test_select_keeps_the_first_and_caps_each_problem():
    samples = pl.DataFrame(
        {
            "problem_id": ["p"] * 5 + ["q"],
            "text": ["a", "a", "b", "c", "d", "a"],
            "steps": [["s", "t"]] * 5 + [["s"]],
            "correct": [True, True, False, True, True, True],
        }
    )
    assert select(samples, SftSetConfig(per_problem=2))["text"].to_list() == ["a", "c"]
    assert select(samples, SftSetConfig(per_problem=9, min_steps=1))["text"].to_list() == ["a", "c", "d", "a"]


def test_an_sft_set_without_a_correct_sample_is_an_error_with_a_reason(chain):
    samples = pl.read_parquet(chain.root / "samples" / "solutions.parquet")
    (chain.root / "wrong").mkdir()
    samples.with_columns(correct=pl.lit(False)).write_parquet(chain.root / "wrong" / "solutions.parquet")
    with pytest.raises(ValueError, match="no sample has the correct final answer"):
        chain.make(make_sft_set, SftSetConfig(), "empty", samples="wrong", train="train")


def test_only_the_solution_and_its_end_are_trained_on():
    from tests.engine.models import TOKENIZER

    (row,) = encode(TOKENIZER, ["Calculate 1 + 2."], ["1+2=3\nanswer 3\n"], PromptFormat())
    trained = [i for i, m in zip(row["input_ids"], row["completion_mask"], strict=True) if m]
    assert TOKENIZER.decode(trained) == "1+2=3\nanswer 3\n<eos>"
    untrained = [i for i, m in zip(row["input_ids"], row["completion_mask"], strict=True) if not m]
    assert TOKENIZER.decode(untrained) == "Calculate 1+2.\n"


def test_solutions_that_are_too_long_are_left_out_whole_and_said(chain):
    """Cut ones would have no end token to learn."""
    lines = []
    inputs = {"base": chain.root / "base", "sft_set": chain.root / "sft_set"}

    def train(limit, out):
        task = Task(inputs, chain.root / out, 5, open_engine=open_engine, progress=lines.append)
        task.out.mkdir()
        return make_generator(task, SFT.model_copy(update={"max_length": limit}))

    kept = pl.read_parquet(chain.root / "sft_set" / "sft_set.parquet")
    tokenizer = AutoTokenizer.from_pretrained(chain.root / "base")
    rows = encode(tokenizer, kept["question"].to_list(), kept["text"].to_list(), PromptFormat())
    lengths = sorted(len(row["input_ids"]) for row in rows)
    shortest = [length for length in lengths if length == lengths[0]]
    outcome = train(lengths[0], "short")
    assert outcome.cost.tokens_trained == sum(shortest) and outcome.rows == len(shortest)
    assert outcome.figures["too_long"] == len(lengths) - len(shortest) > 0
    assert f"{len(lengths) - len(shortest)} of {len(lengths)} solutions are left out" in lines[0]
    assert f"sft.max_length={lengths[-1]} keeps all" in lines[0]
    with pytest.raises(
        TooLong, match=rf"all {len(lengths)} solutions are longer .*=8 .*={lengths[-1]} keeps all"
    ):
        train(8, "nothing")
    assert not list((chain.root / "nothing").iterdir())


def test_fine_tuning_makes_its_own_correct_solutions_likelier(chain):
    kept = pl.read_parquet(chain.root / "sft_set" / "sft_set.parquet")
    means = []
    for stage in ("base", "generator"):
        engine = open_engine(chain.root / stage)
        rows = encode(engine.tokenizer, kept["question"].to_list(), kept["text"].to_list(), PromptFormat())
        prompts = [r["completion_mask"].count(0) for r in rows]
        logprobs = engine.logprobs([r["input_ids"] for r in rows], prompts)
        means.append(sum(map(sum, logprobs)) / len(logprobs))
    assert means[1] > means[0] + 0.1
    assert chain.outcome.figures["updates"] == -(-len(kept) // SFT.batch_size)
    assert chain.outcome.cost.tokens_trained > 0


def test_the_same_inputs_give_the_same_bytes(chain):
    chain.make(make_base, BASE, "base_again", test="test")
    chain.make(make_generator, SFT, "generator_again", base="base", sft_set="sft_set")
    for stage in ("base", "generator"):
        assert digests(chain.root / stage) == digests(chain.root / f"{stage}_again")


def test_a_killed_pre_training_goes_on_and_ends_in_the_same_bytes(chain, tmp_path, monkeypatch):
    config = BASE.model_copy(update={"corpus": BASE.corpus.model_copy(update={"solutions": 160})})
    chain.make(make_base, config, "short_base", test="test")
    inputs = {"test": chain.root / "test"}
    _, folder, lines = killed_then_resumed(make_base, config, inputs, tmp_path / "base", monkeypatch)
    assert "continues at update 3 of 10" in lines
    assert digests(folder) == digests(chain.root / "short_base")


def test_a_killed_fine_tuning_goes_on_and_ends_in_the_same_bytes(chain, tmp_path, monkeypatch):
    inputs = {"base": chain.root / "base", "sft_set": chain.root / "sft_set"}
    outcome, folder, lines = killed_then_resumed(
        make_generator, SFT, inputs, tmp_path / "generator", monkeypatch, saves=1
    )
    assert f"continues at update 1 of {outcome.figures['updates']}" in lines
    assert digests(folder) == digests(chain.root / "generator") and outcome == chain.outcome


def test_a_problems_solutions_do_not_depend_on_the_problems_around_it(chain):
    engine = open_engine(chain.root / "base")
    params, rows = SamplingParams(max_tokens=24), problems()
    together = sample_solutions(engine, rows, 4, params, 0, PromptFormat())
    alone = sample_solutions(engine, rows[7:8], 4, params, 0, PromptFormat())
    assert alone.equals(together[28:32])
    other_seed = sample_solutions(engine, rows, 4, params, 1, PromptFormat())
    assert not other_seed["text"].equals(together["text"])


def test_references_stand_in_for_what_no_sample_solved(tmp_path: Path) -> None:
    import json

    from o1_assets.generator.config import SftSetConfig
    from o1_assets.generator.samples import references

    solutions = ["He has <<3+4=7>>7.\nSo 7.", None]
    problems = pl.DataFrame(
        {
            "problem_id": ["a", "b"],
            "question": ["How many?", "Why?"],
            "answer": ["7", "8"],
            "metadata": [json.dumps({"solution": s} if s else {}) for s in solutions],
        }
    )
    (row,) = references(problems, "{solution}\n#### {answer}").to_dicts()
    assert row == {
        "solution_id": "reference-a",
        "problem_id": "a",
        "question": "How many?",
        "text": "He has 7.\nSo 7.\n#### 7",
    }
    assert SftSetConfig().references is None
