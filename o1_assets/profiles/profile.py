"""A profile: one typed configuration of the whole graph. Each stage's numbers are documented in its config.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from o1_assets.base.config import AnyBase, BaseConfig, InstructedBase
from o1_assets.core.artifact import StageConfig
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.core.seeds import derive_seed
from o1_assets.engine.open import EngineName
from o1_assets.engine.training.tuning import pieces
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.thinking.config import PromptingConfig, ThinkingConfig
from o1_assets.experiments.assistant.config import AssistantConfig
from o1_assets.experiments.circle.config import CircleConfig
from o1_assets.experiments.config import AblationsConfig
from o1_assets.experiments.match.result import MatchConfig
from o1_assets.experiments.mini.config import MiniConfig
from o1_assets.generator.config import DifficultyConfig, SamplesConfig, SftConfig, SftSetConfig
from o1_assets.labels.annotators.judge_prompt import prompt_digest
from o1_assets.labels.config import (
    AnnotatorName,
    JudgeConfig,
    JudgeLimits,
    LabelBatchesConfig,
    LabelsConfig,
    MonteCarloConfig,
    OracleConfig,
    QualityConfig,
    Switch,
    machine_of,
)
from o1_assets.labels.imported.source import LabelSource
from o1_assets.policy.config import PolicyConfig
from o1_assets.problems.config import LongerConfig, ProblemsConfig
from o1_assets.reward.config import ORMConfig, PRMConfig, PublishedPrm, VerifierConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.search.q_value.config import QValueConfig

# What a resource class stands for. Artifacts name a class; the profile says what a step of it gets, and how many run.

ClassName = Literal["cpu", "gpu1", "gpu8"]
CLASS_NAMES: tuple[ClassName, ...] = get_args(ClassName)
ExecutorName = Literal["local", "processes", "ray", "k8s"]


class Resources(StageConfig):
    """One class. A scheduler of a cluster (ray, k8s) places steps by cpus, gpus and memory_gib."""

    cpus: float = Field(default=1, gt=0, description="cores of a step")
    gpus: int = Field(default=0, ge=0, description="GPUs of a step, for it alone")
    memory_gib: float | None = Field(default=None, gt=0, description="memory of a step; None states none")
    at_once: int = Field(
        default=1, gt=0, description="steps of the class at once, over all runs of a Dagster instance"
    )
    launch: int | None = Field(
        default=None,
        gt=0,
        description="processes that a training is launched as; None: one a GPU. The bytes of a result depend on it",
    )

    @property
    def processes(self) -> int:
        return self.launch or max(1, self.gpus)


class Classes(StageConfig):
    """gpu8 is what a training over all GPUs of a machine gets, however many `gpus` says they are."""

    cpu: Resources = Resources(at_once=2)
    gpu1: Resources = Resources(cpus=4, gpus=1)
    gpu8: Resources = Resources(cpus=32, gpus=8)

    def of(self, name: str) -> Resources:
        resources: Resources = getattr(self, name)
        return resources


class Profile(StageConfig):
    """prompt: one for all stages, which get a copy of it.

    first_*: round 0's values where they differ from those of the later rounds. round_eval: the small evaluation of
    every round, on the same problems; headline_eval: the large one, of GPT* and of the last baby-o1.
    """

    name: str
    """As its file is called."""
    seed: int = 0
    """Every random draw follows from it."""
    rounds: int = Field(ge=0, le=99, description="rounds of phase 2; round 0 is phase 1")
    threads: int = Field(gt=0, description="torch threads; the bytes of a result depend on it")
    executor: ExecutorName = Field("local", description="where steps run (deploy/README.md)")
    classes: Classes = Field(default=Classes(), description="what a step of each resource class gets")
    engine: EngineName = "transformers"
    """What samples from models; the bytes of a result depend on it. transformers-bfloat16 samples Llamas of more than
    20M parameters on CPUs with weights rounded to bfloat16, which is faster where the processor multiplies in it
    (avx512_bf16, amx_bf16) and changes samples; RL's own rollouts stay float32."""
    model_class: ClassName = Field("cpu", description="resource class of what runs a model")
    training_class: ClassName | None = Field(
        default=None, description="resource class of trainings that can use several GPUs; None: model_class"
    )
    annotator: AnnotatorName = Field(description="who rates every round but those in annotators")
    annotators: Mapping[str, AnnotatorName] = Field(
        default={}, description='round -> who rates it, as in {"r03":"human"}'
    )
    switches: Mapping[str, Switch] = Field(
        default={}, description="round -> its switch by `o1 labels switch`, over annotator and annotators"
    )
    # Going on earlier trains a policy on part of the labels, and the rest changes the next round's selection under the
    # hands of those who rate it (docs/decisions/labels.md).
    min_rated_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="where people rate, a round goes on when this share of its selection has come back, rated, given "
        "up or as a bad problem; 0: with the first batch",
    )
    oracle: OracleConfig = OracleConfig()
    monte_carlo: MonteCarloConfig = MonteCarloConfig()
    judge: JudgeConfig = JudgeConfig()
    judge_limits: JudgeLimits = JudgeLimits()
    quality: QualityConfig = QualityConfig()
    label_source: LabelSource | None = Field(default=None, description="rounds labelled by others, imported")

    prompt: PromptFormat
    problems: ProblemsConfig
    longer: LongerConfig | None = Field(
        default=None,
        description="held-out expressions that are longer than the others, for thinking about them; None, and where "
        "problems are no expressions: those of problems/test",
    )
    difficulty: DifficultyConfig = DifficultyConfig()
    base: AnyBase
    verifier: VerifierConfig | None = Field(
        default=None,
        description="graded homework that the reward models' start has read; None: they start from the generator",
    )
    published_prm: PublishedPrm | None = Field(
        default=None,
        description="a published PRM in a folder, which the PRM of round 0 is fine-tuned from; None: it starts as the "
        "ORM does",
    )
    assistant: AssistantConfig | None = Field(
        default=None,
        description="instruction tuning, preferences and RLHF before GPT*; None: there is no assistant",
    )
    starts_from: Literal["base", "assistant"] = Field(
        default="base", description="what GPT* is made of: the base, or the assistant that was made of it"
    )
    samples: SamplesConfig
    sft_set: SftSetConfig = SftSetConfig()
    sft: SftConfig
    first_solutions: SolutionsConfig
    later_solutions: SolutionsConfig
    first_selection: SelectionConfig
    later_selection: SelectionConfig
    first_prm: PRMConfig
    later_prm: PRMConfig
    first_orm: ORMConfig
    later_orm: ORMConfig
    policy: PolicyConfig
    round_eval: RoundEvalConfig
    headline_eval: RoundEvalConfig
    summary: SummaryConfig = SummaryConfig()
    q_value: QValueConfig = QValueConfig()
    thinking: ThinkingConfig = ThinkingConfig()
    prompting: PromptingConfig = PromptingConfig()
    match: MatchConfig = MatchConfig()
    ablations: AblationsConfig = AblationsConfig()
    mini: MiniConfig = MiniConfig()
    circle: CircleConfig = CircleConfig()

    @model_validator(mode="after")
    def _stages_get_the_prompt(self) -> Self:
        for name, value in self:
            if isinstance(value, StageConfig) and not isinstance(value, PromptFormat):
                # The model is frozen for its users; it is still being built here.
                object.__setattr__(self, name, _with_prompt(value, self.prompt, name))
        return self

    @model_validator(mode="after")
    def _annotators_are_of_rounds(self) -> Self:
        unknown = set(self.annotators) - {f"r{k:02d}" for k in range(self.rounds + 1)}
        if unknown:
            raise ValueError(
                f"annotators names {', '.join(sorted(unknown))}; the rounds are r00 to r{self.rounds:02d}"
            )
        return self

    @model_validator(mode="after")
    def _assistant_can_be_told(self) -> Self:
        if self.assistant is None and self.starts_from == "assistant":
            raise ValueError(
                "starts_from is 'assistant', and the profile has none; set assistant, as profile assistant"
            )
        if self.assistant is not None and not isinstance(self.base, InstructedBase):
            raise ValueError(
                "assistant: its base has to know the words of instructions; set base.kind = 'instructed'"
            )
        return self

    @model_validator(mode="after")
    def _homework_is_of_the_world(self) -> Self:
        if self.verifier is not None and not isinstance(self.base, BaseConfig):
            raise ValueError(
                "verifier: graded homework is drawn of the arithmetic that a base here is pre-trained on; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _searches_have_a_prm(self) -> Self:
        if self.first_solutions.searches:
            raise ValueError(
                "first_solutions.searches: round 0 comes before the first PRM; set later_solutions.searches"
            )
        return self

    @model_validator(mode="after")
    def _experiments_start_from_rounds(self) -> Self:
        # Without this, `--set rounds=2` would end in a key that nothing makes.
        for name in ("rl", "search_in_rl", "grpo"):
            k = getattr(self.ablations, name).round
            if k > self.rounds:
                raise ValueError(f"ablations.{name}.round is {k}; the rounds are 0 to {self.rounds}")
        return self

    @model_validator(mode="after")
    def _trainings_can_be_shared(self) -> Self:
        # Every process of a training takes an equal part of each batch. Refused here, before anything is computed: the
        # policy's training comes hours after the start.
        name = self.class_of_training
        processes = self.classes.of(name).processes
        shared = {
            "policy.problems_per_update": self.policy.problems_per_update,
            **{
                f"{stage}.batch_size": getattr(self, stage).batch_size
                for stage in ("first_prm", "later_prm", "first_orm", "later_orm")
            },
        }
        for field, size in shared.items():
            if size % processes:
                raise ValueError(
                    f"{field} is {size}, which the {processes} processes of class {name} cannot share equally; make it "
                    f"a multiple, or set classes.{name}.launch"
                )
        # SFT adds up the gradients of equal pieces; several processes share each piece.
        cut = pieces(self.sft.batch_size, self.sft.tuning)
        if self.sft.batch_size % (cut * processes):
            raise ValueError(
                f"sft.batch_size is {self.sft.batch_size}, which cannot be cut into {cut} equal pieces"
                + (f" for {processes} processes of class {name}" if processes > 1 else "")
                + "; change it, or sft.tuning.micro_batch"
            )
        return self

    @property
    def class_of_training(self) -> ClassName:
        return self.training_class or self.model_class

    def annotator_of(self, k: int) -> AnnotatorName:
        name = f"r{k:02d}"
        switch = self.switches.get(name)
        if switch is not None and switch.annotator != "profile":
            return switch.annotator
        return self.annotators.get(name, self.annotator)

    def seed_of(self, key: str) -> int:
        """The seed of the artifact `key`."""
        # By the key and not by a counter: an artifact that is added to the graph changes no other one's seed.
        return derive_seed(self.seed, key)

    @property
    def kept_out(self) -> dict[str, str]:
        """Name -> key of the problems that no corpus of a base may hold: an input of whatever draws one."""
        return {"test": "problems/test", **({"longer": "problems/longer"} if self.longer_problems else {})}

    @property
    def longer_problems(self) -> ProblemsConfig | None:
        return None if self.longer is None else self.longer.like(self.problems)

    @property
    def generator_start(self) -> str:
        """Key of what samples the solutions that GPT* is trained on, and of what GPT* is fine-tuned from."""
        return "base/model" if self.starts_from == "base" else "assistant/policy"

    @property
    def reward_start(self) -> str:
        """Key of what the reward models of round 0 are fine-tuned from."""
        return "generator/model" if self.verifier is None else "base/verifier"

    @property
    def prm_start(self) -> str:
        """Key of what the PRM of round 0 is fine-tuned from."""
        return self.reward_start if self.published_prm is None else "base/prm"

    def solutions(self, k: int) -> SolutionsConfig:
        return self.first_solutions if k == 0 else self.later_solutions

    def selection(self, k: int) -> SelectionConfig:
        return self.first_selection if k == 0 else self.later_selection

    def batches(self, k: int) -> LabelBatchesConfig:
        annotator, switch = self.annotator_of(k), self.switches.get(f"r{k:02d}")
        machine, source = machine_of(annotator), self.label_source
        return LabelBatchesConfig(
            round=f"r{k:02d}",
            protocol=self._protocol(k),
            annotator=annotator,
            # Only the settings of whoever rates: a number of another annotator must not make labels stale.
            min_rated_share=self.min_rated_share if annotator == "human" else None,
            oracle=self.oracle if machine == "oracle" else None,
            monte_carlo=self.monte_carlo if machine == "monte_carlo" else None,
            judge=self.judge if machine == "judge" else None,
            judge_prompt=prompt_digest(self.judge.template) if machine == "judge" else None,
            switched=switch,
            quality=self.quality,
            source=source.name if source and source.drives(k) else None,
        )

    def labels(self, k: int) -> LabelsConfig:
        return LabelsConfig(round=f"r{k:02d}", protocol=self._protocol(k), quality=self.quality)

    def prm(self, k: int) -> PRMConfig:
        return self.first_prm if k == 0 else self.later_prm

    def orm(self, k: int) -> ORMConfig:
        return self.first_orm if k == 0 else self.later_orm

    @staticmethod
    def _protocol(k: int) -> Literal["dense", "sparse"]:
        return "dense" if k == 0 else "sparse"


def _with_prompt(config: StageConfig, prompt: PromptFormat, path: str) -> StageConfig:
    """A copy of the configuration with this prompt in it and in all that it holds. Raises ValueError on another one.

    path: what the configuration is called in the profile, for the message.
    """
    changed: dict[str, StageConfig] = {}
    for name, value in config:
        if isinstance(value, PromptFormat):
            if name in config.model_fields_set and value != prompt:
                raise ValueError(
                    f"{path}.{name} is a copy of `prompt`, which is one for all stages; set prompt.FIELD"
                )
            changed[name] = prompt
        elif isinstance(value, StageConfig):
            changed[name] = _with_prompt(value, prompt, f"{path}.{name}")
    return config.model_copy(update=changed)
