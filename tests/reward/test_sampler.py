import pytest

from o1_assets.reward.dataset import draw_order


def test_the_newest_round_has_its_share_and_old_rounds_the_rest():
    rounds = [0] * 300 + [1] * 300 + [2] * 20
    order = draw_order(rounds, [1] * len(rounds), updates=30, batch_size=16, newest_share=0.5, seed=1)
    assert len(order) == 480
    assert sum(rounds[i] == 2 for i in order) == 240
    assert {rounds[i] for i in order} == {0, 1, 2}


def test_every_example_is_drawn_before_one_is_drawn_again():
    order = draw_order([0] * 64, [1] * 64, updates=4, batch_size=16, newest_share=0.5, seed=1)
    assert sorted(order) == list(range(64))


def test_a_batch_holds_examples_of_like_length():
    lengths = list(range(128))
    order = draw_order([0] * 128, lengths, updates=8, batch_size=16, newest_share=0.5, seed=1)
    spans = [max(batch) - min(batch) for batch in (order[i : i + 16] for i in range(0, 128, 16))]
    assert max(spans) == 15


def test_the_same_seed_gives_the_same_order_and_another_seed_another():
    orders = [draw_order([0, 1] * 40, [3] * 80, 5, 8, 0.5, seed) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_nothing_to_train_on_is_an_error():
    with pytest.raises(ValueError, match="no examples"):
        draw_order([], [], 1, 1, 0.5, 0)
