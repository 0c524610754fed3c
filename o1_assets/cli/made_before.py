"""Notes about what another release, or another selection, has made: before it is made again, and while people wait."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from o1_assets.execution.differences import checkout, commit, compare
from o1_assets.execution.project import Project
from o1_assets.execution.status import Status
from o1_assets.graph import with_ancestors
from o1_assets.labels.config import LabelBatchesConfig
from o1_assets.labels.inbox.progress import Progress, batches_key, round_progress, selected_solutions
from o1_assets.labels.inbox.reader import NO_BATCHES, PEOPLE
from o1_assets.store.manifest import Manifest
from o1_assets.store.store import ArtifactStore, StoreError

STAYS = "beside the old versions, which stay (docs/upgrading.md)"


def notes(project: Project, states: Mapping[str, Status], due: Collection[str]) -> list[str]:
    """What to know before `due` is made: which releases made it, and which ratings of people would not count then."""
    return [*_of_other_code(project, states, due), *_of_selections(project, states, due)]


def _of_other_code(project: Project, states: Mapping[str, Status], due: Collection[str]) -> Iterator[str]:
    # Only the first of each chain: whether what follows is made again, nobody knows before its inputs are.
    made = {key: state.manifest for key in _first(project, states, due) if (state := states[key]).manifest}
    others = {key: manifest for key, manifest in made.items() if manifest and _by_release(project, manifest)}
    if others:
        commits = list(dict.fromkeys(commit(manifest.environment) for manifest in others.values()))
        more = f" and {len(commits) - 1} more" if len(commits) > 1 else ""
        yield (
            f"made by other code than today's: {_some(list(others))} ({commits[0]}{more}); `o1 run` makes again what "
            f"differs by it, {STAYS}"
        )


def _first(project: Project, states: Mapping[str, Status], due: Collection[str]) -> list[str]:
    """Those that are stale by themselves, and not because of an input."""
    return [
        key
        for key in states
        if key in due
        and states[key].state == "stale"
        and all(states[i].state == "fresh" for i in project.outlines[key].inputs.values())
    ]


def _by_release(project: Project, manifest: Manifest) -> bool:
    today = project.outlines[manifest.key]
    return compare(manifest, today.config(), today.seed, today.code()).by_release


def _of_selections(project: Project, states: Mapping[str, Status], due: Collection[str]) -> Iterator[str]:
    """People's ratings of selections that are made again, or were."""
    again, before, unused = dict[str, Manifest](), dict[str, Manifest](), dict[str, Manifest]()
    for config in [each.rated for each in project.outlines.values() if each.rated]:
        if not config.uses_people or config.source or not project.inbox.accepted(config.round, PEOPLE):
            continue
        selection = states[f"{config.round}/selection"]
        labels = labels_of_people(project.store, config.round)
        if selection.manifest is None or not selection.whole:
            continue
        is_due = selection.state == "stale" and selection.key in due
        progress = _progress(project, config, selection.manifest)
        if labels is not None and labels.inputs["selection"].digest == selection.manifest.digest:
            if is_due:
                again[config.round] = labels
        elif is_due and progress.batches:
            unused[config.round] = selection.manifest
        elif labels is not None and not progress.enough:
            before[config.round] = labels
    if again:
        yield (
            f"what {_some(list(again))} have people rate is selected again: their ratings stay in the inbox, and count "
            f"where the same solutions are selected; {_way_on(again)}"
        )
    if unused:
        yield (
            f"what {_some(list(unused))} have people rate is selected again before labels were made of their ratings, "
            f"which stay in the inbox; {_why_again(project, states, due, next(iter(unused.values())))}"
        )
    if before:
        yield (
            f"{_some(list(before))}: people's ratings of an earlier selection stay in the inbox, and do not count for "
            f"today's; {_way_on(before)}"
        )


def _why_again(
    project: Project, states: Mapping[str, Status], due: Collection[str], selection: Manifest
) -> str:
    """What differs from when the selection was made, and how labels are made of its ratings all the same."""
    before = with_ancestors(project.outlines, [selection.key])
    causes = [key for key in _first(project, states, due) if key in before]
    manifests = (states[key].manifest for key in causes)
    if any(manifest and _by_release(project, manifest) for manifest in manifests):
        return f"{checkout(selection.environment)}: `o1 run` there makes them"
    # Without a cause it is what was made meanwhile from what it was made from.
    differs = "; ".join(f"{key}: {states[key].reason}" for key in causes or [selection.key])
    late = any(project.outlines[key].rated for key in causes)
    batches = ", batches by `o1 labels withdraw BATCH`" if late else ""
    return f"what differs is not the code ({differs}): take that back{batches}, and `o1 run` makes them first"


def _progress(project: Project, config: LabelBatchesConfig, selection: Manifest) -> Progress:
    wanted = selected_solutions(project.store.path(selection.digest))
    return round_progress(project.inbox, config, wanted)


def labels_of_people(store: ArtifactStore, round_name: str) -> Manifest | None:
    """The newest version of the round's labels that was made of people's batches."""
    for name in reversed(store.versions(f"{round_name}/labels")):
        try:
            labels = store.manifest(f"{round_name}/labels", name)
            batches = [item for item in labels.inputs.values() if item.key == batches_key(round_name)]
            made = [store.manifest(item.key, item.version) for item in batches]
        except StoreError:  # of a version of long ago, which nothing asks for
            continue
        if "selection" in labels.inputs and any(_by_people(each) for each in made):
            return labels
    return None


def _by_people(batches: Manifest) -> bool:
    # What people send to a round of imported labels corrects those, and goes where they go.
    nothing = (batches.external or NO_BATCHES).startswith(NO_BATCHES)
    return not nothing and not batches.config.get("source")


def _way_on(labels: Mapping[str, Manifest]) -> str:
    rounds = " ".join(f"--round {name}@{manifest.digest[:12]}" for name, manifest in labels.items())
    return (
        f"`o1 labels dataset DIR --format prm800k --names {rounds}` and `o1 labels import DIR/data/train.jsonl` make "
        "a source of labels of all that they rated"
    )


def not_in_graph(project: Project) -> list[str]:
    """What the store has and today's graph does not make; nothing of a store on a server, which is slow to list."""
    store = project.store
    if not store.backend.local:
        return []
    heads = (entry.name.removeprefix("heads/").removesuffix(".json") for entry in store.backend.walk("heads"))
    keys = sorted(
        key for key in heads if key not in project.outlines and not key.rpartition("/")[2].startswith(".")
    )
    if not keys:
        return []
    return [
        f"the store also has {_some(keys)}, which today's graph does not make: `o1 audit`, `o1 card` and `o1 export` "
        "read what is there, and `o1 gc` keeps it"
    ]


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")
