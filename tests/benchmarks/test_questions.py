from benchmarks.questions import count_right, read_questions
from o1_assets.problems.canonical import canonical, flat_expression, side
from o1_assets.problems.split import allowed
from o1_assets.profiles.load import load_profile
from o1_assets.search.question import read_question


def test_every_question_is_of_nano_kind_and_no_seed_can_put_it_into_train() -> None:
    profile, questions = load_profile("nano", ""), read_questions()
    problems = profile.problems
    assert problems.arithmetic is not None
    contents = {canonical(read_question(question, profile).text) for question in questions}
    assert len(contents) == 40
    for question in questions:
        assert not read_question(question, profile).unusual, question
        assert allowed(flat_expression(canonical(question)), problems.arithmetic), question
        assert side(canonical(question), problems.test_fraction) == "test", question


def test_an_answer_counts_where_it_is_the_exact_value() -> None:
    values = {"2-3-5": -6, "7+2*2": 11, "1*1*4": 4}
    assert count_right(values, ["-6", "18", None]) == 1
