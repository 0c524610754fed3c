"""The graph as Dagster sees it: loadable, complete, selected by string as meant, and what the sensor asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import dagster as dg
import pytest

from o1_assets.core.settings import Settings
from o1_assets.execution.project import Project
from o1_assets.graph import EXPERIMENT_PARTS, asked_for, build_graph
from o1_assets.orchestration.keys import asset_key
from o1_assets.orchestration.story import PAGES, figures_first
from o1_assets.profiles.load import ProfileError, load_profile

JUDGES = re.compile(
    r"ablations/(pools/test|active/(held_out|(scratch|added)_\w+_\d)|(rl|chains|search_in_rl|grpo)/\w+_eval_\d)"
).fullmatch
"""Of the ablations, what reads held-out problems without being a result: it measures on them."""


EXPERIMENTS = (
    "two_curves", "versions", "kinds", "verifiers", "rounds", "rl", "chains", "active", "scale", "search_in_rl", "grpo",
)  # fmt: skip

MINI = {
    "mini/base", "mini/chains", "mini/generator_chains", "mini/arms/chains", "mini/arms/generator_chains",
    "mini/arms/on_policy", "mini/arms/rl", "mini/model", "mini/eval",
}  # fmt: skip


CIRCLE = {
    "circle/g0/base", "circle/g0/eval", "circle/result",
    *(
        f"circle/{arm}g{n}/{stage}" for arm in ("", "unverified/", "direct/") for n in (1, 2, 3)
        for stage in ("rows", "base", "eval")
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("O1_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("O1_SET", raising=False)
        yield Settings.load("nano")


@pytest.fixture(scope="module")
def definitions(settings: Settings) -> dg.Definitions:
    from o1_assets.orchestration.definitions import build_definitions

    return build_definitions(Project(settings))


def keys_of(definitions: dg.Definitions, job: str) -> set[str]:
    keys = {
        asset_key(key): key
        for key in [*build_graph(load_profile("nano", ""), Settings.load("nano")), "eval/report"]
    }
    return {keys[key] for key in definitions.resolve_job_def(job).asset_layer.selected_asset_keys}


def test_the_definitions_load(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


def test_the_graph_has_every_artifact_of_the_design(settings: Settings) -> None:
    graph = build_graph(load_profile("nano", ""), settings)
    stages = ["solutions", "selection", "label_batches", "labels", "prm", "orm", "policy", "eval", "q_value"]
    expected = {
        "problems/train", "problems/test", "problems/longer", "difficulty/train", "base/model", "base/verifier",
        "generator/samples", "generator/sft_set", "generator/model", "eval/base", "eval/generator", "eval/baby_o1",
        "eval/summary", "eval/thinking", "eval/prompting", "generator/low_rank", "ablations/thinking/result",
        *(f"r{k:02d}/{stage}" for k in range(11) for stage in stages),
        *MINI,
        *CIRCLE,
    }  # fmt: skip
    optional = {key for key, artifact in graph.items() if artifact.part == "ablations"}
    assert set(graph) - optional == expected
    results = [key.split("/")[1] for key in optional if key.endswith("/result")]
    assert sorted(results) == sorted(EXPERIMENTS)
    others = {key for key in optional if key.split("/")[1] not in EXPERIMENTS}
    assert others == {"problems/ood", "ablations/pools/test", "ablations/pools/ood"}


@pytest.mark.parametrize(
    "experiment", ["verifiers", "rounds", "rl", "chains", "active", "scale", "search_in_rl", "grpo"]
)
def test_an_experiment_trains_every_arm_thrice_or_says_how_often(experiment: str, settings: Settings) -> None:
    graph = build_graph(load_profile("nano", ""), settings)
    arm = re.compile(
        rf"ablations/{experiment}/\w+_\d(?=/|$)"
    )  # an artifact, or a part of the graph under this prefix
    trained = {match[0] for key in graph if (match := arm.match(key))}
    names = {key[:-2] for key in trained}
    fewer = {"p2m": 2}
    for name in names:
        times = fewer.get(name.rpartition("/")[2].split("_")[0], 3) if experiment == "scale" else 3
        assert {f"{name}_{seed}" for seed in range(times)} == {k for k in trained if k[:-2] == name}, name
    assert len(names) > 1


def test_dagster_sees_the_dependencies_of_the_graph(settings: Settings, definitions: dg.Definitions) -> None:
    graph = build_graph(load_profile("nano", ""), settings)
    seen = definitions.resolve_asset_graph()
    for key, artifact in graph.items():
        parents = seen.get(asset_key(key)).parent_keys
        assert parents == {asset_key(other) for other in artifact.inputs.values()}, key


def test_only_rounds_rated_by_rollouts_wait_for_the_policy_to_be_labelled(settings: Settings) -> None:
    profile = load_profile("nano", 'annotators={"r00":"monte_carlo","r02":"monte_carlo","r03":"human"}')
    graph = build_graph(profile, settings)
    policies = {k: graph[f"r{k:02d}/label_batches"].inputs.get("policy") for k in range(5)}
    assert policies == {0: "generator/model", 1: None, 2: "r01/policy", 3: None, 4: None}
    annotators = [profile.batches(k).annotator for k in range(5)]
    assert annotators == ["monte_carlo", "oracle", "monte_carlo", "human", "oracle"]


def test_an_annotators_settings_make_only_its_own_rounds_stale() -> None:
    changed = 'annotators={"r02":"monte_carlo"}\nmonte_carlo.rollouts=5\noracle.error_rate=0.5'
    before, after = load_profile("nano", 'annotators={"r02":"monte_carlo"}'), load_profile("nano", changed)
    assert before.batches(2) != after.batches(2) and after.batches(2).oracle is None
    assert before.batches(1) != after.batches(1) and after.batches(1).monte_carlo is None
    human = (
        load_profile("nano", "annotator=human"),
        load_profile("nano", "annotator=human\noracle.error_rate=1"),
    )
    assert human[0].batches(1) == human[1].batches(1)


def test_an_annotator_for_a_round_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"annotators names r11, x; the rounds are r00 to r10"):
        load_profile("nano", 'annotators={"r11":"human","x":"human"}')


def test_every_asset_says_what_it_is_and_the_loop_why_it_is_there(definitions: dg.Definitions) -> None:
    for spec in definitions.resolve_all_asset_specs():
        assert spec.description and spec.owners and spec.kinds, spec.key
        assert "**Why.**" in spec.description or spec.tags["o1/part"] != "loop", spec.key


def test_the_loop_is_loaded_by_itself_and_its_groups_are_numbered(settings: Settings) -> None:
    from o1_assets.orchestration.definitions import build_definitions

    alone = build_definitions(Project(settings, parts=())).resolve_all_asset_specs()
    assert {spec.tags["o1/part"] for spec in alone} == {"loop"}
    groups = sorted({str(spec.group_name).partition("/")[0] for spec in alone})
    assert groups == ["1_problems", "2_base", "3_generator", "4_phase_1", "5_phase_2", "6_eval"]
    with_mini = build_definitions(Project(settings, parts=["mini"]))
    assert {spec.tags["o1/part"] for spec in with_mini.resolve_all_asset_specs()} > {"loop", "mini"}
    assert keys_of(with_mini, "mini") == MINI
    with pytest.raises(ValueError, match="'minni' is no optional part"):
        build_definitions(Project(settings, parts=["minni"]))


def test_the_figures_that_a_page_names_come_first() -> None:
    assert figures_first({"a": 1, "held_out_auc": 2}, PAGES["prm"]) == ["held_out_auc", "a"]
    assert figures_first({"b": 1, "a": 2}, None) == ["b", "a"]


def test_the_code_reference_of_an_asset_is_what_computes_it(definitions: dg.Definitions) -> None:
    (spec,) = [s for s in definitions.resolve_all_asset_specs() if s.key == asset_key("r03/prm")]
    (reference,) = spec.metadata["dagster/code_references"].code_references
    assert reference.file_path.endswith("o1_assets/reward/train.py") and reference.label == "make_prm"


def test_jobs_select_what_their_names_say(definitions: dg.Definitions) -> None:
    everything = keys_of(definitions, "everything")
    phase_1, phase_2 = keys_of(definitions, "phase_1"), keys_of(definitions, "phase_2")
    evaluation = keys_of(definitions, "evaluation")
    assert {"base/model", "r00/policy"} <= phase_1 and not any(k.startswith("r01") for k in phase_1)
    assert {"r01/solutions", "r10/policy"} <= phase_2 and "r00/policy" not in phase_2
    assert evaluation == {"eval/generator", "eval/baby_o1", "eval/summary", "eval/report"}
    assert phase_1 | phase_2 | evaluation == everything
    optional = {
        "eval/thinking", "eval/prompting", "generator/low_rank", "ablations/thinking/result", "r10/q_value",
    }  # fmt: skip
    assert keys_of(definitions, "thinking") == optional and not optional & everything
    assert keys_of(definitions, "q_values") == {f"r{k:02d}/q_value" for k in range(10)}
    ablations = keys_of(definitions, "ablations")
    assert {f"ablations/{name}/result" for name in EXPERIMENTS} <= ablations
    assert all(key.startswith("ablations/") or key == "problems/ood" for key in ablations)
    assert keys_of(definitions, "mini") == MINI
    assert keys_of(definitions, "difficulty") == {"difficulty/train"}
    assert keys_of(definitions, "circle") == CIRCLE


def test_experiments_are_all_of_their_parts_that_a_profile_has(settings: Settings) -> None:
    nano = build_graph(load_profile("nano", ""), settings)
    assert asked_for(nano, ["experiments"]) == asked_for(nano, EXPERIMENT_PARTS)
    countdown = build_graph(load_profile("countdown", ""), settings)
    assert asked_for(countdown, ["experiments"]) == asked_for(countdown, ["thinking"]) > asked_for(countdown)


def test_no_training_of_a_policy_sees_held_out_problems_or_labels(settings: Settings) -> None:
    graph = build_graph(load_profile("nano", ""), settings)
    for key, artifact in graph.items():
        if key.endswith("/policy"):
            replayed = {
                name for name in artifact.inputs if name.startswith(("sft_set", "solutions_", "labels_"))
            }
            assert set(artifact.inputs) - replayed == {"policy", "generator", "prm", "orm", "train"}
            # People's ratings are for the PRM. What they wrote where no sample was right may be replayed.
            sources = artifact.config.replay.sources if hasattr(artifact.config, "replay") else ()
            assert "written" in sources or not any(name.startswith("labels_") for name in replayed)
        # A base and verifiers read them to keep their expressions out of a corpus; some arms have their own.
        measures = key.startswith("eval/") or key.endswith(("/eval", "/result")) or JUDGES(key)
        if (
            not measures
            and not key.endswith(("base/model", "base/verifier", "mini/base", "circle/g0/base"))
            and "/start_" not in key
        ):
            kept_out = {"problems/test"} | ({"problems/longer"} if key != "problems/ood" else set())
            assert kept_out.isdisjoint(artifact.inputs.values()), key
