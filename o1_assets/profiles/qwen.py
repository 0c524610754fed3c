"""qwen: the paper's setting on open weights. Qwen2.5-Math on MATH, rated by PRM800K's people, one 80 GB GPU.

What every number costs in memory, and why it is what it is: docs/qwen.md.
"""

from __future__ import annotations

from typing import Any, Literal

from o1_assets.base.config import HubBase
from o1_assets.core.prompt_format import BOXED, PromptFormat
from o1_assets.engine.training.config import LoraConfig, TuningConfig
from o1_assets.evaluation.config import RoundEvalConfig, SummaryConfig
from o1_assets.evaluation.thinking.config import ThinkingConfig
from o1_assets.generator.config import SamplesConfig, SftConfig
from o1_assets.labels.prm800k.source import LabelSource
from o1_assets.policy.config import PolicyConfig
from o1_assets.problems.config import MathSource, ProblemsConfig
from o1_assets.profiles.profile import Profile
from o1_assets.reward.config import ORMConfig, PRMConfig
from o1_assets.rounds.config import SelectionConfig, SolutionsConfig
from o1_assets.search.q_value.config import QValueConfig

Size = Literal["1.5B", "7B"]
Tuning = Literal["lora", "full"]
MAX_TOKENS = 1024
STEP_TOKENS = 256

PROMPT = (
    "<|im_start|>system\nPlease reason step by step, with a blank line between steps, and put your final answer "
    "within \\boxed{}.<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
)

REVISIONS = {
    "1.5B": "4a83ca6e4526a4f2da3aa259ec36c259f66b2ab2",
    "7B": "b101308fe89651ea5ce025f25317fea6fc07e96e",
}

# Sequences at once. The head decides: for each token it writes 152,000 logits, 10 bytes each with their gradient.
MICRO_BATCH = {"1.5B": 8, "7B": 2}


def qwen(size: Size = "1.5B", tuning: Tuning = "lora") -> Profile:
    """The profile for a model of this size. Raises ValueError on what does not fit one GPU.

    tuning: low-rank updates of bfloat16 weights, or all weights in float32, multiplied in bfloat16.
    """
    if size not in REVISIONS:
        raise ValueError(f"size is {size!r}; it is one of {', '.join(REVISIONS)}")
    if tuning not in ("lora", "full"):
        raise ValueError(f"tuning is {tuning!r}; it is lora or full")
    full = tuning == "full"
    if full and size == "7B":
        raise ValueError(
            "all 7.6B weights with their gradients and AdamW's two moments are 122 GB, more than one GPU has: set "
            "tuning=lora, or size=1.5B"
        )
    tuned = TuningConfig(
        lora=None if full else LoraConfig(rank=32, alpha=64),
        # At a learning rate of 1e-6 an update is smaller than bfloat16 can tell apart: it would be rounded away.
        weights="float32" if full else "bfloat16",
        autocast=True,
        gradient_checkpointing=True,
        micro_batch=MICRO_BATCH[size],
    )
    rate = 1e-5 if full else 1e-4
    rewards: dict[str, Any] = {
        # Muon and the probability feature are remedies for models that were trained here from nothing.
        "optimizer": "adamw",
        "adamw_lr": rate,
        "probability_feature": False,
        "tuning": tuned,
        "batch_size": 64,
        "score_tokens": 16_384,
    }
    step: dict[str, Any] = {"max_step_tokens": STEP_TOKENS, "completions": 4}
    return Profile(
        name="qwen",
        rounds=10,
        threads=8,
        executor="local-gpu",
        engine="vllm",
        model_class="gpu1",
        annotator="monte_carlo",
        label_source=LabelSource(),
        prompt=PromptFormat(template=PROMPT, answer_prefix=BOXED, max_tokens=MAX_TOKENS),
        problems=ProblemsConfig(source=MathSource(), train=11_500, test=500),
        base=HubBase(
            repo=f"Qwen/Qwen2.5-Math-{size}",
            revision=REVISIONS[size],
            weights="float32" if full else "bfloat16",
            step_separator="\n\n",  # displayed formulas run over several lines, which a line as a step would cut apart
            end_tokens=("<|im_end|>", "<|endoftext|>"),  # the first is trained; the base writes the second
            max_positions=4096,
        ),
        samples=SamplesConfig(problems=11_500, per_problem=4),
        sft=SftConfig(learning_rate=rate, batch_size=64, max_length=2048, tuning=tuned),
        first_solutions=SolutionsConfig(problems=4000, samples=8),
        later_solutions=SolutionsConfig(problems=1000, samples=32),
        first_selection=SelectionConfig(strategy="uniform", solutions=2000, per_problem=2, **step),
        later_selection=SelectionConfig(strategy="convincing_wrong", solutions=2000, per_problem=4, **step),
        first_prm=PRMConfig(updates=400, **rewards),
        later_prm=PRMConfig(updates=300, newest_share=0.5, **rewards),
        first_orm=ORMConfig(updates=400, **rewards),
        later_orm=ORMConfig(updates=200, newest_share=0.5, **rewards),
        policy=PolicyConfig(
            updates=50,
            problems_per_update=32,
            group_size=8,
            learning_rate=1e-6 if full else 1e-5,
            warmup_updates=5,
            max_steps=24,
            tuning=tuned,
        ),
        round_eval=RoundEvalConfig(problems=200, samples=16, step_samples=4),
        headline_eval=RoundEvalConfig(problems=500, samples=64, seeds=3, step_samples=4),
        summary=SummaryConfig(example_steps=20),
        q_value=QValueConfig(
            step_tokens=STEP_TOKENS,
            tree_tokens=8 * MAX_TOKENS,
            max_steps=24,
            **rewards,
        ),
        thinking=ThinkingConfig(
            samples=64, tree_tokens=16 * MAX_TOKENS, max_steps=24, step_tokens=STEP_TOKENS
        ),
    )
