import polars as pl
import pytest

from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.steps import LINE, PARAGRAPH
from o1_assets.reward.dataset import IGNORED, held_out, orm_examples, prm_examples, step_sequence
from o1_assets.reward.read import StepReader
from tests.engine.models import byte_level
from tests.reward.conftest import make_labels, rule

FORMAT = PromptFormat()


def words(tokenizer, tokens):
    return tokenizer.decode(list(tokens)).split("\n")


def test_labels_stand_on_the_newline_of_each_step_and_nowhere_else(tokenizer):
    for example in prm_examples(make_labels(20), tokenizer, FORMAT):
        row, classes = example.row()
        newline = tokenizer.encode("\n", add_special_tokens=False)[0]
        for node, label in enumerate(classes):
            if label != IGNORED:
                assert row.tokens[node] == newline
        for path, sequence in zip(
            (row.paths[i] for i in range(len(example.sequences))), example.sequences, strict=True
        ):
            steps = words(tokenizer, sequence.tokens)[1:-1]
            for end, step in zip(sequence.ends, steps, strict=True):
                assert classes[path[end]] == rule(step) + 1


def test_the_own_path_is_labelled_at_every_step_and_an_alternative_at_its_end_only(tokenizer):
    for example in prm_examples(make_labels(20), tokenizer, FORMAT):
        own, *alternatives = example.labels
        assert IGNORED not in own
        for labels in alternatives:
            assert labels[-1] != IGNORED
            assert set(labels[:-1]) <= {IGNORED}


def test_no_cartesian_product_of_alternatives_as_in_openr(tokenizer):
    """openr builds every combination of every step's alternatives, which nobody has rated."""
    labels = make_labels(30)
    examples = prm_examples(labels, tokenizer, FORMAT)
    assert sum(len(e.sequences) for e in examples) == 30 + labels.filter(pl.col("completion") > 0).height
    for example in examples:
        chosen = words(tokenizer, example.sequences[0].tokens)[:-1]
        for sequence in example.sequences[1:]:
            *prefix, _ = words(tokenizer, sequence.tokens)[:-1]
            assert prefix == chosen[: len(prefix)]


def test_an_alternative_never_sees_another_one(tokenizer):
    for example in prm_examples(make_labels(20), tokenizer, FORMAT):
        row, _ = example.row()
        seen = row.visible()
        for index, sequence in enumerate(example.sequences):
            end = row.paths[index][-1]
            assert tuple(row.tokens[i] for i in range(len(row)) if seen[end, i]) == sequence.tokens


def test_an_alternative_with_the_text_of_the_chosen_step_does_not_change_its_rating(tokenizer):
    labels = make_labels(1).filter(pl.col("step") == 0).head(1)
    twin = labels.with_columns(completion=pl.lit(1, dtype=pl.Int32), rating=(-pl.col("rating")).cast(pl.Int8))
    (example,) = prm_examples(pl.concat([labels, twin]), tokenizer, FORMAT)
    _, classes = example.row()
    assert [c for c in classes if c != IGNORED] == [labels["rating"][0] + 1]


def test_a_gap_in_the_rated_steps_is_refused(tokenizer):
    labels = make_labels(1)
    with pytest.raises(ValueError, match="own rated steps"):
        prm_examples(labels.filter(pl.col("step") != 0), tokenizer, FORMAT)


def test_alternatives_of_a_first_step_that_labellers_could_not_settle_are_examples(tokenizer):
    labels = make_labels(30)
    tied = labels.filter((pl.col("step") == 0) & (pl.col("completion") > 0))
    examples = prm_examples(tied, tokenizer, FORMAT)
    assert examples and sum(len(e.sequences) for e in examples) == tied.height
    for example in examples:
        _, classes = example.row()
        assert sorted(c for c in classes if c != IGNORED) == sorted(label for (label,) in example.labels)


def test_the_outcome_stands_at_the_last_step_or_at_every_step(tokenizer):
    solutions = pl.DataFrame(
        {"solution_id": ["a"], "problem_id": ["p"], "steps": [["1+1=2", "answer 2"]], "correct": [True]}
    )
    last, every = (
        orm_examples(solutions, {"p": "Calculate 1 + 1."}, tokenizer, FORMAT, every)
        for every in (False, True)
    )
    assert last[0].labels == ((IGNORED, 1),)
    assert every[0].labels == ((1, 1),)


def test_step_by_step_encoding_is_that_of_the_whole_text(tokenizer):
    sequence = step_sequence(
        tokenizer, "Calculate 3 * 4 - 5.\n", ["3*4=12", "check 3*4=12", "12-5=7", "answer 7"]
    )
    text = "Calculate 3 * 4 - 5.\n3*4=12\ncheck 3*4=12\n12-5=7\nanswer 7\n"
    assert list(sequence.tokens) == tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.parametrize("between", [LINE, PARAGRAPH])
def test_what_people_rated_is_one_step_in_training_and_in_reading(between):
    """Last steps of PRM800K hold paragraphs of their own, and lines of files hold spaces of all kinds."""
    tokenizer = byte_level(between)
    texts = ["We have\u00a05.\u2028", "\u3000", "Exactly.\n\n# Answer\n\n468"]
    labels = pl.DataFrame(
        {"solution_id": "s", "problem_id": "p", "question": "?", "text": [*texts, " ", "\nRight.\n \n468"]}
    ).with_columns(
        step=pl.Series([0, 1, 2, 1, 2]),
        completion=pl.Series([0, 0, 0, 1, 1]),
        rating=pl.Series([1, 0, -1, -1, 1]),
    )
    (example,) = prm_examples(labels, tokenizer, FORMAT)
    assert example.labels == ((2, 0), (IGNORED, 2))  # without the two blank ones
    solutions = pl.DataFrame({"solution_id": ["s"], "problem_id": ["p"], "steps": [texts], "correct": [True]})
    (of_solution,) = orm_examples(solutions, {"p": "?"}, tokenizer, FORMAT, every_step=True)
    for sequence in (*example.sequences, *of_solution.sequences):
        prompt, completion = (
            sequence.tokens[: sequence.prompt_length],
            sequence.tokens[sequence.prompt_length :],
        )
        assert StepReader([], None, tokenizer).sequence(prompt, completion) == sequence


def test_about_the_share_asked_for_is_held_out_and_a_problem_stays_where_it_is():
    share = sum(held_out(f"{i:016x}", 0.1) for i in range(5000)) / 5000
    assert 0.08 < share < 0.12
    assert all(held_out(f"{i:016x}", 0.3) for i in range(500) if held_out(f"{i:016x}", 0.1))
