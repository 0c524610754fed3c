"""What the UI says of an artifact: its chapter of the story, why the method has it, what to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from o1_assets.core.artifact import Artifact
from o1_assets.orchestration.keys import asset_key

PICTURES = "/o1/pictures"
"""Where `o1 ui` serves the plots of the newest versions: PICTURES/KEY/NAME.png."""


@dataclass(frozen=True)
class Page:
    """why: what the method needs the artifact for. look_at: its figures that matter. picture: a plot that it has."""

    why: str
    look_at: tuple[str, ...] = ()
    picture: str = ""


PAGES: Mapping[str, Page] = {
    "problems/train": Page(
        "Everything is trained on these. Their answers decide which solutions are right; nobody has rated a step yet.",
        ("problems",),
    ),
    "problems/test": Page(
        "Only measurements read these, so that no figure is of something that was trained on.", ("problems",)
    ),
    "problems/longer": Page(
        "One chain solves nearly all that is as long as what was trained on: what thinking buys is seen on these.",
        ("problems",),
    ),
    "pool/train": Page(
        "What the train problems are chosen of, by how much of it the base solves.", ("problems",)
    ),
    "difficulty/train": Page(
        "RL compares a problem's solutions: where all of them are wrong, or all right, there is nothing to compare.",
        ("pass_rate", "never_solved", "always_solved"),
        "difficulty",
    ),
    "eval/base": Page(
        "What the base solves when it is shown worked examples is what GPT* is held against.",
        ("pass_rate", "never_solved", "finished"),
        "difficulty",
    ),
    "base/model": Page(
        "The model that everything begins with. It has read solutions as people write them, with their mistakes.",
        ("loss_last_50", "parameters"),
        "learning_curve",
    ),
    "base/verifier": Page(
        "A reward model that begins as this knows what a mark is before people rate the first step.",
        ("loss_last_50", "pages"),
        "learning_curve",
    ),
    "assistant/requests": Page(
        "What an assistant is asked is more than a question.", ("problems", "forbidden")
    ),
    "assistant/demonstrations": Page("People show what a good answer looks like.", ("solutions",)),
    "assistant/sft": Page(
        "A base goes on writing; a model that has seen demonstrations answers, and in the way that it is asked to.",
        ("loss_first", "loss_last"),
        "learning_curve",
    ),
    "assistant/answers": Page(
        "People find it easier to compare answers than to write them.", ("finished_share",)
    ),
    "assistant/comparisons": Page(
        "Which of several answers is better: all that the preference reward model knows.",
        ("comparisons", "flipped_share"),
    ),
    "assistant/reward": Page(
        "It stands for the people of whom nobody has the time to judge every answer of a training.",
        ("held_out_accuracy", "held_out_agreement"),
        "learning_curve",
    ),
    "assistant/policy": Page(
        "The assistant: what people prefer becomes likelier, near to what the instructed model writes.",
        ("orm_score_first", "orm_score_last", "kl_last"),
        "reward",
    ),
    "assistant/eval": Page(
        "Which manners each stage adds, and which reasoning RL takes away again.",
        ("assistant_instruction_following", "assistant_win_rate", "refusals_right"),
        "following",
    ),
    "generator/samples": Page(
        "The base tries each problem several times. Some of the attempts are right: these teach the generator.",
        ("correct_share", "solved_problems_share"),
    ),
    "generator/sft_set": Page(
        "What the generator is fine-tuned on, for one epoch.", ("solutions", "kept_share")
    ),
    "generator/model": Page(
        "GPT*: it writes solutions step by step, which people can rate and a process reward model can read.",
        ("loss_first", "loss_last"),
        "learning_curve",
    ),
    "solutions": Page(
        "What the round's people may be asked about: attempts of the newest policy, and from phase 2 on of searches "
        "that read the newest PRM.",
        ("correct", "solutions", "distinct"),
    ),
    "selection": Page(
        "People's time is short. In phase 1 solutions are drawn at random; in phase 2 those that fool the newest PRM "
        "come first, because they teach it most.",
        ("solutions", "correct", "mean_score"),
    ),
    "label_batches": Page(
        "The door that ratings come in by. It waits until the round's selection has come back, or as much of it as "
        "the profile asks for (`min_rated_share`).",
        ("solutions", "solutions_not_rated", "batches_from_people"),
    ),
    "labels": Page(
        "What the process reward model learns from: right, neutral or wrong, for each rated step.",
        ("labels", "positive", "neutral", "negative"),
    ),
    "prm": Page(
        "The process reward model rewards steps in reinforcement learning, and guides every search.",
        ("held_out_auc", "held_out_loss", "labels_negative"),
        "learning_curve",
    ),
    "orm": Page(
        "The outcome reward model needs no ratings: it learns from whether the final answers are right. It rewards "
        "the last step.",
        ("held_out_auc", "held_out_loss"),
        "learning_curve",
    ),
    "policy": Page(
        "Reinforcement learning: of a group of solutions of one problem those that the reward models prefer become "
        "likelier. Reward should rise while KL and entropy stay in bounds.",
        ("prm_score_first", "prm_score_last", "kl_last", "entropy_last"),
        "reward",
    ),
    "eval": Page(
        "How good the round's three models are, on held-out problems.",
        ("pass@1", "prm_best_of_n", "orm_best_of_n", "step_auc"),
        "best_of_n",
    ),
    "q_value": Page("A guide for A* and Monte Carlo tree search.", ("held_out_auc",)),
    "eval/generator": Page(
        "Where the rounds begin: GPT* judged by the newest reward models.",
        ("pass@1", "prm_best_of_n"),
        "best_of_n",
    ),
    "eval/baby_o1": Page("Where the rounds end.", ("pass@1", "greedy", "prm_best_of_n"), "best_of_n"),
    "eval/summary": Page(
        "The curves over all rounds: the policy gets better, the reward model harder to fool.",
        ("generator_pass@1", "baby_o1_pass@1", "fooled_rate_first", "fooled_rate_last"),
        "learning_0",
    ),
    "eval/thinking": Page(
        "Accuracy against thinking time, for every strategy: the second of the two curves."
    ),
    "eval/report": Page("Everything on one page, for people who were not there."),
}


def chapter(artifact: Artifact) -> str:
    """What the artifact belongs to: a stage such as "generator", a phase, or an optional part."""
    if phase := artifact.tags.get("o1/phase", ""):
        return f"phase_{phase}"
    return artifact.group.partition("/")[0]


def chapters(graph: Mapping[str, Artifact]) -> dict[str, str]:
    """The chapters of the loop -> the groups that the UI sorts by name: numbered as the data flows."""
    loop = dict.fromkeys(chapter(artifact) for artifact in graph.values() if not artifact.part)
    return {name: f"{number}_{name}" for number, name in enumerate(loop, 1)}


def group_of(artifact: Artifact, numbered: Mapping[str, str]) -> str:
    """The artifact's group in the UI; in phase 2 that of its round. What is optional keeps out of the loop's groups."""
    first, _, rest = artifact.group.partition("/")
    if artifact.part:
        return artifact.group if first == artifact.part else f"{artifact.part}/{first}"
    group = numbered[chapter(artifact)]
    return f"{group}/{rest}" if chapter(artifact) == "phase_2" else group


def page_of(artifact: Artifact) -> Page | None:
    """None for what is optional and says everything in its description."""
    return PAGES.get(artifact.key) or PAGES.get(artifact.tags.get("o1/stage", ""))


def describe(
    key: str, description: str, page: Page | None, made_from: Iterable[str] = (), *, pictures: bool = False
) -> str:
    """What the UI says of an asset, in Markdown. pictures: whether a server has the plots (`o1 ui`)."""
    paragraphs = [description]
    # The page cuts a long description off below its middle, so the plot comes second.
    if page and page.picture and pictures:
        paragraphs.append(f"![{page.picture.replace('_', ' ')}]({PICTURES}/{key}/{page.picture}.png)")
    if page:
        paragraphs.append(f"**Why.** {page.why}")
        if page.look_at:
            figures = ", ".join(f"`{name}`" for name in page.look_at)
            paragraphs.append(f"**Look at** {figures}, below.")
    links = [f"[{other}](/assets/{asset_key(other).to_user_string()})" for other in dict.fromkeys(made_from)]
    if links:
        paragraphs.append(f"**Made from** {', '.join(links)}.")
    paragraphs.append(f"On the command line it is `{key}`: `o1 audit {key}` says how it came to be.")
    return "\n\n".join(paragraphs)


def figures_first(figures: Iterable[str], page: Page | None) -> list[str]:
    """The names of an artifact's figures, those to look at before all others."""
    first = [name for name in (page.look_at if page else ()) if name in set(figures)]
    return [*first, *(name for name in figures if name not in first)]
