"""Graded homework: marks follow the mind of a teacher, and the verifier that reads them starts the reward models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from o1_assets.base.config import BaseConfig, CorpusConfig
from o1_assets.base.tokenizer import make_tokenizer
from o1_assets.engine.training.one_pass import batches_by_length
from o1_assets.problems.expression import Expression, Operation
from o1_assets.problems.worlds.arithmetic.world import WORLD
from o1_assets.reward.aggregate import NEGATIVE, POSITIVE
from o1_assets.reward.config import HomeworkConfig, VerifierConfig
from o1_assets.reward.dataset import IGNORED
from o1_assets.reward.homework import Marked, Marker, Page, draw_homework
from o1_assets.reward.pages import PageMarker

CORPUS = CorpusConfig(max_factor=4, max_value=60)
SURE = HomeworkConfig(pages=150, marker_scale=0, marker_slip_rate=0)


def pages(config: HomeworkConfig, seed: int = 3) -> list[Page]:
    return list(draw_homework(CORPUS, config, seed, set()))


def expression_of(page: Page) -> Expression:
    return Expression.parse(page.question.split(" ", 1)[1].removeprefix("is ").rstrip(".?"))


def test_a_teacher_without_misconceptions_marks_as_the_exact_checker_rates() -> None:
    compared = 0
    for page in pages(SURE):
        for pupil in page.pupils:
            working = WORLD.start(expression_of(page))
            for step, mark in zip(pupil.steps, pupil.marks, strict=True):
                working, verdict = WORLD.take_step(working, step)
                assert verdict.rating + 1 == mark, (page.question, pupil, step, verdict)
                compared += 1
    assert compared > 1000


def test_a_teacher_with_a_misconception_marks_what_follows_from_it_right() -> None:
    always = CORPUS.model_copy(update={"misconception_scale": 100.0, "slip_rate": 0.0})
    state = Expression.parse("7 - 2 * 3 + 4")
    assert Marker(always, Random(0)).expected(state) == [Operation(7, "-", 2, 5, "5*3+4")]
    never = CORPUS.model_copy(update={"misconception_scale": 0.0, "slip_rate": 0.0})
    assert Operation(2, "*", 3, 6, "7-6+4") in Marker(never, Random(0)).expected(state)
    assert Operation(7, "-", 2, 5, "5*3+4") not in Marker(never, Random(0)).expected(state)


def test_pages_depend_on_the_seed_alone_keep_out_what_is_excluded_and_end_with_the_first_error() -> None:
    drawn = pages(SURE)
    assert drawn == pages(SURE) != pages(SURE, seed=4)
    assert all(NEGATIVE not in pupil.marks[:-1] for page in drawn for pupil in page.pupils)
    first = str(expression_of(drawn[0])).replace(" ", "")
    kept = list(draw_homework(CORPUS, SURE, 3, {first}))
    assert first not in {str(expression_of(page)).replace(" ", "") for page in kept}
    assert len(kept) == SURE.pages


def test_a_step_is_marked_at_its_end_and_its_symbols_from_where_it_goes_wrong() -> None:
    tokenizer = make_tokenizer(64)
    pupils = (
        Marked(("2*3=6", "7-6=2"), (POSITIVE, NEGATIVE), 4),
        Marked(("2*3=6", "7-6=1", "answer 1"), (POSITIVE, POSITIVE, POSITIVE), 8),
    )
    page = PageMarker(tokenizer).mark(Page("Calculate 7 - 2 * 3.", pupils))

    def classes(index: int) -> list[tuple[str, int, int]]:
        path = page.row.paths[index]
        words = tokenizer.convert_ids_to_tokens([page.row.tokens[i] for i in path])
        return list(zip(words, page.steps[path].tolist(), page.symbols[path].tolist(), strict=True))

    wrong = classes(0)
    assert [step for _, step, _ in wrong if step != IGNORED] == [POSITIVE, NEGATIVE]
    assert [symbol for _, _, symbol in wrong if symbol != IGNORED][-5:] == [2, 2, 2, 2, NEGATIVE]
    assert all(symbol in (IGNORED, POSITIVE) for _, _, symbol in classes(1))
    nobody = PageMarker(tokenizer).mark(Page("Calculate 7 - 2.", (Marked(("2-7=5",), (NEGATIVE,), 0),)))
    assert nobody.edges.shape == (0, 2), "nothing of it is what the teacher would have written"
    # What both wrote stands once, and is predicted once.
    assert len(page) < sum(len(path) for path in page.row.paths.values())
    assert len({tuple(edge) for edge in page.edges.tolist()}) == len(page.edges)


def test_a_number_that_is_wrong_in_one_digit_is_wrong_as_a_whole() -> None:
    slips = SURE.model_copy(update={"drill_share": 1.0})
    wrong = [
        pupil
        for page in pages(slips)
        for pupil in page.pupils
        if pupil.marks == (NEGATIVE,) and not pupil.steps[0].startswith("answer")
    ]
    for pupil in wrong:
        rest = pupil.steps[0][pupil.agreed :]
        assert pupil.agreed == 0 or not (pupil.steps[0][pupil.agreed - 1].isdigit() and rest[:1].isdigit())
    assert len(wrong) > 100


def test_pupils_lose_track_of_what_is_left_in_every_way_and_a_teacher_sees_it() -> None:
    slips = SURE.model_copy(update={"drill_share": 0.0, "slip_rate": 0.3})
    kinds = Counter()
    for page in pages(slips):
        for pupil in page.pupils:
            working = WORLD.start(expression_of(page))
            for step in pupil.steps[:-1]:
                working, _ = WORLD.take_step(working, step)
            verdict = WORLD.take_step(working, pupil.steps[-1])[1]
            if verdict.kind == "left":
                assert pupil.marks[-1] == NEGATIVE
                claimed = pupil.steps[-1].partition(" left ")[2]
                kinds[len(Expression.parse(claimed).ops) - len(working.state[0].ops) + 1] += 1
    assert set(kinds) == {-1, 0, 1}, "an operation is lost, another is there, or one is there twice"


def test_batches_hold_every_page_once() -> None:
    marker = PageMarker(make_tokenizer(64))
    marked = [marker.mark(page) for page in pages(SURE.model_copy(update={"pages": 50}))]
    drawn = [page for batch in batches_by_length(marked, len, 4, seed=1) for page in batch]
    assert sorted(map(id, drawn)) == sorted(map(id, marked))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from o1_assets.base.pretrain import build_model, save

    folder = tmp_path_factory.mktemp("base")
    config = BaseConfig(hidden_size=16, intermediate_size=16, layers=2, heads=1, max_positions=64)
    tokenizer = make_tokenizer(64)
    save(build_model(config, tokenizer, seed=0), tokenizer, folder)
    return folder


def test_new_layers_change_nothing_at_first_and_the_parts_of_a_batch_add_up(base: Path) -> None:
    import torch

    from o1_assets.reward.grow import GrowingVerifier, page_loss

    marker = PageMarker(make_tokenizer(64))
    marked = [marker.mark(page) for page in pages(SURE.model_copy(update={"pages": 6}))]
    plain = GrowingVerifier(base, VerifierConfig(new_layers=0), seed=1)
    grown = GrowingVerifier(base, VerifierConfig(new_layers=2), seed=1)
    assert torch.equal(plain(marked)[0], grown(marked)[0])
    assert len(grown.layers) == 4
    whole = page_loss(grown, VerifierConfig(), marked, marked)
    parts = [page_loss(grown, VerifierConfig(), marked, marked[i::2]) for i in range(2)]
    assert whole.item() == pytest.approx(sum(part.item() for part in parts), rel=1e-5)


def test_reward_models_start_from_a_verifier_with_the_head_of_its_marks(base: Path, tmp_path: Path) -> None:
    import torch

    from o1_assets.reward.grow import GrowingVerifier
    from o1_assets.reward.model import ORM_CLASSES, PRM_CLASSES, load_reward_model, start_reward_model

    grown = GrowingVerifier(base, VerifierConfig(new_layers=1), seed=1).verifier
    grown.save(tmp_path / "verifier")
    verifier = grown.backbone
    prm = start_reward_model(tmp_path / "verifier", PRM_CLASSES, (-2.0, -1.0))
    assert torch.equal(prm.backbone.score.weight, verifier.score.weight)
    assert not prm.feature.weight.any(), "what homework did not tell of is learned from labels alone"
    assert start_reward_model(tmp_path / "verifier", PRM_CLASSES, None).feature is None
    orm = start_reward_model(tmp_path / "verifier", ORM_CLASSES, None)
    assert orm.classes == 2
    assert np.array_equal(
        orm.backbone.model.layers[0].mlp.up_proj.weight.detach(),
        verifier.model.layers[0].mlp.up_proj.weight.detach(),
    )
    # What it began as is no longer a verifier: the next round goes on from it with all that it has learned.
    orm.save(tmp_path / "orm")
    assert load_reward_model(tmp_path / "orm").classes == 2
    with pytest.raises(ValueError, match="another kind"):
        start_reward_model(tmp_path / "orm", PRM_CLASSES, None)
