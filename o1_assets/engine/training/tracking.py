"""Where the figures of a training go while it runs: whoever watches the run, and the trackers that O1_TRACK names.

O1_TRACK=tensorboard, wandb, mlflow or trackio (several with a comma) sends them through transformers' own
integrations. None is set by default, and nothing is sent anywhere. No figure goes into an artifact from here, so a
tracker changes no bytes; one that fails is left alone, and the training goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from o1_assets.core.settings import BadSetting

Receiver = Callable[[int, Mapping[str, float]], None]
"""Is given the number of an update, counted from 1, and its figures."""

TRACKERS = ("tensorboard", "wandb", "mlflow", "trackio")

_receivers: list[Receiver] = []


def record(update: int, figures: Mapping[str, Any]) -> None:
    """Called by every training after an update; does nothing where nobody watches."""
    if not _receivers or os.environ.get("RANK", "0") != "0":
        return
    numbers = {name: float(value) for name, value in figures.items() if isinstance(value, int | float)}
    for receiver in list(_receivers):
        receiver(update, numbers)


@contextmanager
def tracked_by(*receivers: Receiver) -> Iterator[None]:
    """Trainings of this process inside of the block are told to these."""
    _receivers.extend(receivers)
    try:
        yield
    finally:
        del _receivers[len(_receivers) - len(receivers) :]


def tracker_names() -> tuple[str, ...]:
    """Those of O1_TRACK. Raises BadSetting on one that is not known, or whose package is not installed."""
    from importlib.util import find_spec

    names = tuple(os.environ.get("O1_TRACK", "").replace(",", " ").split())
    for name in names:
        if name not in TRACKERS:
            raise BadSetting(f"O1_TRACK names {name!r}; there is {', '.join(TRACKERS)}")
        if find_spec(name) is None:
            raise BadSetting(
                f"O1_TRACK={name} needs the package {name}, which is not installed: pip install {name}"
            )
    return names


@contextmanager
def tracker(key: str, folder: Path, warn: Callable[[str], object]) -> Iterator[Receiver | None]:
    """Sends what it is given to the trackers of O1_TRACK, as the run `key`; None where there are none.

    folder: where those that write files put them. Raises BadSetting.
    """
    names = tracker_names()
    if not names:
        yield None
        return
    with ExitStack() as stack:
        opened: list[Receiver] = []

        def receive(update: int, figures: Mapping[str, float]) -> None:
            try:
                # Opened by the first update: most artifacts train nothing.
                if not opened:
                    opened.extend(stack.enter_context(_integration(name, key, folder)) for name in names)
                for send in opened:
                    send(update, figures)
            except Exception as error:  # whatever a tracker raises, hours of training are worth more
                if receive in _receivers:
                    _receivers.remove(receive)
                    _receivers.append(_nobody)
                warn(f"tracking stops ({type(error).__name__}: {error}); the training goes on")

        yield receive


def _nobody(update: int, figures: Mapping[str, float]) -> None:
    """In the place of a tracker that failed."""


@contextmanager
def _integration(name: str, key: str, folder: Path) -> Iterator[Receiver]:
    """transformers' callback for a tracker, told of updates outside of a Trainer."""
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations import get_reporting_integration_callbacks

    run = folder / name / key.replace("/", "_")
    run.mkdir(parents=True, exist_ok=True)
    # Where the user says nothing else, everything stays on this machine.
    for variable, value in _DEFAULTS.get(name, {}).items():
        os.environ.setdefault(variable, value.format(folder=folder / name))
    (made,) = get_reporting_integration_callbacks([name])
    callback: Any = made()
    if name == "tensorboard":
        callback.logging_dir = str(run)
    arguments = TrainingArguments(output_dir=str(run), run_name=key, report_to="none", use_cpu=True)
    state, control = TrainerState(), TrainerControl()
    callback.on_train_begin(arguments, state, control, model=None)

    def send(update: int, figures: Mapping[str, float]) -> None:
        state.global_step = update
        callback.on_log(arguments, state, control, logs=dict(figures), model=None)

    try:
        yield send
    finally:
        with suppress(Exception):
            callback.on_train_end(arguments, state, control, model=None)
        if name == "wandb":  # the next artifact is another run
            import wandb

            wandb.finish()


_DEFAULTS: Mapping[str, Mapping[str, str]] = {
    "wandb": {"WANDB_PROJECT": "o1-assets", "WANDB_DIR": "{folder}", "WANDB_MODE": "offline"},
    "mlflow": {"MLFLOW_EXPERIMENT_NAME": "o1-assets", "MLFLOW_TRACKING_URI": "sqlite:///{folder}/mlflow.db"},
    "trackio": {"TRACKIO_DIR": "{folder}"},
}
