"""The optional parts: what eval/thinking and the ablations are expected to take follows their own settings."""

from __future__ import annotations

import pytest

from o1_assets.core.estimate import Estimate
from o1_assets.plan.assumptions import assumptions_of
from o1_assets.plan.check import compare
from tests.plan.test_plan import plan, plan_of, used_by


def thinking(settings: str = "") -> Estimate:
    return plan(settings, parts=("thinking",)).made["eval/thinking"]


def arms(settings: str = "") -> dict[str, Estimate]:
    made = plan(settings, parts=("ablations",)).made
    return {
        key.rpartition("/")[2]: one for key, one in made.items() if key.startswith("ablations/search_in_rl/")
    }


@pytest.mark.parametrize(
    "more",
    [
        "thinking.samples=512",
        "thinking.tree_tokens=4096",
        "thinking.tree_seeds=2",
        "thinking.votes=32",
        "thinking.chains=8",
        "thinking.limits=[8,12,16,24,32,48,64,96,128]",
        "thinking.waits=[1,2,4,8]",
        "thinking.problems=200",
    ],
)
def test_thinking_writes_more_where_more_is_asked_for(more: str) -> None:
    assert thinking(more).cost.tokens_generated > 1.001 * thinking().cost.tokens_generated


def test_chains_that_nobody_reads_cost_no_scoring() -> None:
    for settings in ("thinking.chains=8", "thinking.waits=[1,2,4,8]", "thinking.limits=[4]"):
        assert thinking(settings).cost.tokens_scored == thinking().cost.tokens_scored


def test_the_base_is_not_searched_and_all_else_is_done_twice() -> None:
    """A wait more is a wait more of two models; a vote more is one of the base and a longer tree of all three."""
    profile = plan().profile
    # They are counted on problems/longer, whose solutions are longer.
    problems, solution = 100, assumptions_of(profile, problems=profile.longer_problems).solution_tokens
    waits = (
        thinking("thinking.waits=[6]").cost.tokens_generated
        - thinking("thinking.waits=[4]").cost.tokens_generated
    )
    assert waits == pytest.approx(problems * 2 * 4 * 2 * 0.5 * solution, rel=1e-3)
    votes = thinking("thinking.votes=32").cost.tokens_generated - thinking().cost.tokens_generated
    assert votes == pytest.approx(problems * (1 + 3) * 16 * solution, rel=1e-3)


def test_a_tree_is_read_once_however_often_it_is_searched() -> None:
    """What a search finds again was read before: much more is written than scored."""
    more = thinking("thinking.tree_tokens=8192").cost
    less = thinking().cost
    assert more.tokens_scored - less.tokens_scored < 0.5 * (more.tokens_generated - less.tokens_generated)


def test_arms_are_given_equal_tokens_and_searching_ones_train_on_fewer() -> None:
    made = arms()
    trainings = [name for name in made if name != "result" and "_eval_" not in name]
    written = {name: made[name].cost.tokens_generated for name in trainings}
    assert len(written) == 15 and max(written.values()) < 1.05 * min(written.values())
    trained = {name: made[f"{name}_0"].cost.tokens_trained for name in ("none", "every_group", "expert")}
    assert trained["none"] > trained["every_group"] > trained["expert"] > 0


def test_arms_took_what_was_planned() -> None:
    made, used = plan_of("nano_arms", parts=("ablations",)).made, used_by("nano_arms")
    found = compare(made, used)
    assert {one.stage for one in found} == {
        "all",
        *(f"search_in_rl  {n}" for n in ("none", "every_group", "expert")),
    }
    assert [one for one in found if not one.good] == []


def test_another_seed_trains_every_arm_once_more_and_is_judged() -> None:
    three, four = arms(), arms("ablations.seeds=4")
    assert set(four) - set(three) == {f"{name.removesuffix('_0')}_3" for name in three if name.endswith("_0")}
    judged = [sum(one.cost.flops for name, one in made.items() if "_eval_" in name) for made in (three, four)]
    assert judged[1] == pytest.approx(4 / 3 * judged[0])
    twice = arms("ablations.search_in_rl.updates=28")
    assert twice["expert_0"].cost.tokens_trained == pytest.approx(
        2 * three["expert_0"].cost.tokens_trained, abs=1
    )


def test_active_learning_trains_at_every_size_and_replays_only_where_labels_are_added() -> None:
    def trained(name: str, settings: str = "") -> int:
        both = 'ablations.active.settings=["scratch","added"]'
        made = plan(f"{both}\n{settings}", parts=("ablations",)).made
        return made[f"ablations/active/{name}_0"].cost.tokens_trained

    assert trained("scratch_uniform", "ablations.active.sizes=[50,100]") == trained("scratch_uniform") / 2
    assert trained("scratch_uniform") == trained("scratch_uncertain") < trained("added_uncertain")
    alone = trained("added_uncertain", "ablations.active.newest_share=1")
    assert alone == trained("scratch_uncertain")


def test_a_model_of_another_size_costs_by_its_parameters() -> None:
    made = plan(parts=("ablations",)).made
    stages = (
        "base/model",
        "generator/samples",
        "generator/model",
        "r00/prm",
        "r00/prm_plain",
        "r00/orm",
        "eval",
    )
    for stage in stages:
        small, large = (made[f"ablations/scale/{name}_0/{stage}"].cost for name in ("p200k", "p2m"))
        assert large.flops == pytest.approx(2_009_056 / 201_280 * small.flops), stage
        assert large.tokens_trained == small.tokens_trained
    with_feature, without = (
        made[f"ablations/scale/p2m_0/r00/{stage}"].cost for stage in ("prm", "prm_plain")
    )
    assert with_feature.tokens_scored > without.tokens_scored
    assert with_feature.tokens_trained == without.tokens_trained


def test_an_arm_of_rl_is_read_by_both_reward_models_and_written_chains_cost_nothing() -> None:
    arms = 'ablations.rl.arms=["outcome","process","both_sum","both_kl","both_search","process_bare"]'
    made = plan(arms, parts=("ablations",)).made
    rl = {
        arm: made[f"ablations/rl/{arm}_0"].cost for arm in ("outcome", "both_sum", "both_kl", "both_search")
    }
    assert rl["outcome"] == rl["both_sum"] and "ablations/rl/start_0" not in made
    assert made["ablations/rl/start_eval_0"].cost.tokens_generated > 0
    assert rl["both_kl"].tokens_scored > rl["both_sum"].tokens_scored
    assert rl["both_search"].tokens_generated > rl["both_sum"].tokens_generated
    assert made["ablations/chains/written_set_0"].cost.flops == 0
    assert made["ablations/chains/own_set_0"].cost.tokens_generated > 0
    sft = made["ablations/chains/written_0"].cost
    assert sft.tokens_trained == pytest.approx(rl["both_sum"].tokens_trained, rel=0.05)
