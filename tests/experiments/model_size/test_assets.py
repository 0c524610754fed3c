"""The experiment's design: models that differ in their shape alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from o1_assets.core.artifact import Artifact
from o1_assets.core.seeds import derive_seed
from o1_assets.experiments.model_size.assets import artifacts
from o1_assets.experiments.model_size.config import SHAPES
from o1_assets.profiles.load import ProfileError, load_profile

EVERY = f"ablations.scale.shapes={json.dumps([shape.model_dump() for shape in SHAPES])}"


def made(settings: str = "") -> dict[str, Artifact]:
    """With every shape there is."""
    profile = load_profile("nano", f"{EVERY}\n{settings}")
    return {a.key.removeprefix("ablations/scale/"): a for a in artifacts(profile)}


def config(key: str) -> Any:
    return made()[key].config


def test_parameters_are_counted_as_flops_are() -> None:
    from o1_assets.base.pretrain import build_model
    from o1_assets.base.tokenizer import make_tokenizer
    from o1_assets.core.flops import non_embedding_parameters

    base = config("deep_0/base/model")
    deep = next(shape for shape in SHAPES if shape.name == "deep")
    assert non_embedding_parameters(build_model(base, make_tokenizer(64), 0)) == deep.parameters


def test_sizes_have_equal_layers_and_depths_have_equal_parameters() -> None:
    sizes, depths = [s for s in SHAPES if s.of_sizes], [s for s in SHAPES if s.of_depths]
    assert len({shape.layers for shape in sizes}) == 1
    assert [round(s.parameters / 1e6, 1) for s in sizes] == [0.2, 0.7, 2.0, 5.0]
    assert sorted(shape.layers for shape in depths) == [2, 4, 8]
    assert max(s.parameters for s in depths) < 1.02 * min(s.parameters for s in depths)


STAGES = (
    "base/model",
    "generator/samples",
    "generator/sft_set",
    "generator/model",
    "r00/prm",
    "r00/prm_plain",
    "r00/orm",
    "eval",
)


def test_equal_seeds_see_equal_data_and_only_the_shape_differs() -> None:
    graph = made()
    for stage in STAGES:
        one, other = graph[f"p200k_1/{stage}"], graph[f"p2m_1/{stage}"]
        assert one.seed == other.seed != graph[f"p200k_0/{stage}"].seed
        assert set(one.inputs) == set(other.inputs)
    bases = [config(f"{name}_0/base/model") for name in ("p200k", "p2m")]
    assert bases[0].corpus == bases[1].corpus and bases[0].muon_lr == bases[1].muon_lr
    feature, plain = (config(f"p2m_0/r00/{stage}").model_dump() for stage in ("prm", "prm_plain"))
    assert {name for name in feature if feature[name] != plain[name]} == {"probability_feature"}
    assert graph["p2m_0/r00/prm"].seed == graph["p2m_0/r00/prm_plain"].seed


def test_seeds_are_those_that_published_figures_were_made_with() -> None:
    profile, graph = load_profile("nano", ""), made()
    generator = profile.seed_of("ablations/scale/generator/1")
    assert {stage: graph[f"deep_1/{stage}"].seed for stage in STAGES} == {
        "base/model": profile.seed_of("ablations/scale/base/1"),
        "generator/samples": derive_seed(generator, "samples"),
        "generator/sft_set": generator,
        "generator/model": derive_seed(generator, "sft"),
        "r00/prm": profile.seed_of("ablations/scale/prm/1"),
        "r00/prm_plain": profile.seed_of("ablations/scale/prm/1"),
        "r00/orm": profile.seed_of("ablations/scale/orm/1"),
        "eval": profile.seed_of("ablations/scale/judged/1"),
    }


def test_nothing_is_trained_on_what_it_is_judged_on() -> None:
    for key, artifact in made().items():
        if not key.endswith(("/eval", "base/model")):
            assert not {"problems/test", "eval/generator"} & set(artifact.inputs.values()), key


def test_a_shape_may_be_trained_less_often() -> None:
    keys = set(made("ablations.seeds=4"))
    assert {"p200k_3/eval", "p5m_0/eval"} <= keys and "p5m_1/eval" not in keys


def test_one_shape_of_its_depth_makes_no_trend_and_none_is_fine() -> None:
    alone = [shape.model_dump() for shape in SHAPES[:3]]
    with pytest.raises(ProfileError, match="at least two shapes with of_depths"):
        load_profile("nano", f"ablations.scale.shapes={json.dumps(alone)}")
    usual = load_profile("nano", "").ablations.scale.shapes
    assert [shape.name for shape in usual] == ["p200k", "p700k", "p2m"] and not any(
        s.of_depths for s in usual
    )


def test_two_models_of_one_name_are_refused() -> None:
    one = '{"name":"same","hidden_size":32,"intermediate_size":48,"layers":1,"of_depths":true}'
    with pytest.raises(ProfileError, match="different names"):
        load_profile("nano", f"ablations.scale.shapes=[{one},{one}]")


def test_every_model_of_a_size_is_made_from_those_of_its_size_and_seed() -> None:
    own, graph = "ablations/scale/p2m_1", made()
    base, generator = f"{own}/base/model", f"{own}/generator/model"
    rated = {"generator": generator, "init": generator, "labels_00": "r00/labels"}
    models = {"base": base, "generator": generator}
    models |= {name: f"{own}/r00/{name}" for name in ("prm", "prm_plain", "orm")}
    made_from = {
        "base/model": {"test": "problems/test", "longer": "problems/longer"},
        "generator/samples": {"base": base, "train": "problems/train"},
        "generator/sft_set": {"samples": f"{own}/generator/samples", "train": "problems/train"},
        "generator/model": {"base": base, "sft_set": f"{own}/generator/sft_set"},
        "r00/prm": rated,
        "r00/prm_plain": rated,
        "r00/orm": {
            "generator": generator,
            "init": generator,
            "train": "problems/train",
            "solutions_00": "r00/solutions",
        },
        "eval": {**models, "test": "problems/test", "shared": "eval/generator"},
    }
    assert {stage: dict(graph[f"p2m_1/{stage}"].inputs) for stage in made_from} == made_from
