"""The settings from the environment, and the one folder in which a profile keeps everything: O1_HOME/<profile>."""

from __future__ import annotations

import errno
import hashlib
import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from o1_assets.core.commands import DEFAULT_PROFILE
from o1_assets.core.errors import O1Error
from o1_assets.core.files import replace_file

PROJECT = Path(__file__).resolve().parents[2]
"""The folder that the package lies in: the clone, or site-packages."""
IS_CLONE = (PROJECT / "pyproject.toml").is_file()
BUILT_IN = Path(__file__).resolve().parents[1] / "profiles"
"""The folder of the built-in profiles, NAME.toml each."""

DAGSTER_YAML = """\
# The first-visit dialog of the UI covers the graph; a training run needs no telemetry.
nux:
  enabled: false
telemetry:
  enabled: false
# A run whose process never came up fails instead of being waited for; what an ended one still holds of a pool is freed.
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 60
# What the sensor looked at and when, four times a minute. Runs and their events: `o1 gc`.
retention:
  sensor:
    purge_after_days:
      skipped: 2
      started: 7
      failure: 30
      success: 90
# A pool limits steps of all runs together; how many, the profile says (resources/compute.py).
concurrency:
  pools:
    granularity: op
"""

POSTGRES_YAML = """\
# Runs, events and schedules of every machine that has this address.
storage:
  postgres:
    postgres_url:
      env: O1_DAGSTER_POSTGRES
"""


# SHA-256 of the files that earlier versions of this project wrote. Nobody changed such a file, so it is replaced: it
# lacks the limits of pools and the purging of the sensor's ticks.
FORMER_YAML = {
    "4be2201cf050e61fa231cd6140c8d47d4db904c666cde8636574bd86314b2591",
    "7b11045f8660d6b19b4dacc583a9f68be0678517347b9b91ced3096030d5f9a3",
    "89707a3651e3f4445e291a6d500ee109c6ca4df7d920fc28cd02e79477b74d8d",
}


class BadSetting(O1Error, ValueError):
    """A setting from the environment has a value that it cannot have."""


def checkpoint_seconds() -> float:
    """The least seconds between two checkpoints of a training: O1_CHECKPOINT_SECONDS, else 10. Raises BadSetting.

    It is no part of a profile, because it changes what a kill costs and never the result.
    """
    text = os.environ.get("O1_CHECKPOINT_SECONDS") or "10"
    try:
        return max(0.0, float(text))
    except ValueError:
        raise BadSetting(f"O1_CHECKPOINT_SECONDS is {text!r}; set it to a number of seconds") from None


def built_in_profiles() -> list[str]:
    """The names of the built-in profiles."""
    return sorted(file.stem for file in BUILT_IN.glob("*.toml"))


def profile_file(profile: str, folder: Path | None = None) -> Path | None:
    """The file that --profile, O1_PROFILE or `extends` names; None where it is a name alone. Raises BadSetting.

    folder: what a relative path starts from, else the working directory.
    """
    if not (profile.endswith(".toml") or "/" in profile or os.sep in profile):
        return None
    file = ((folder or Path()) / Path(profile).expanduser()).resolve()
    if file.suffix != ".toml":
        raise BadSetting(f"{file} is no profile; the name of a profile's file ends in .toml")
    if not file.is_file():
        raise BadSetting(
            f"there is no file {file}; `o1 profile new {profile} --from nano` writes a profile to change"
        )
    if file.stem in built_in_profiles() and file.parent != BUILT_IN:
        raise BadSetting(
            f"{file} is called as the built-in profile {file.stem}, whose home it would share; rename it"
        )
    return file


def _check_name(home: Path) -> None:
    """Raises BadSetting on a folder's name that a library cannot take."""
    name = str(home)
    if "?" in name:
        raise BadSetting(
            f"O1_HOME is {name}: Dagster's database cannot lie in a folder with ? in its name; use another name"
        )
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise BadSetting(f"O1_HOME is {name!r}, which has characters that are no letters; use another name")
    if home.exists() and not home.is_dir():
        raise BadSetting(
            f"{home} is not a folder; set O1_HOME to one, or to a path at which there is nothing yet"
        )


@dataclass(frozen=True)
class Settings:
    """The folders of one profile. Everything under `home` can be copied, moved or deleted as a whole.

    profile: its name. file: where it is, unless it is a built-in one.
    """

    profile: str
    home: Path
    file: Path | None = None

    @classmethod
    def load(cls, profile: str | None = None, home: Path | str | None = None) -> Settings:
        """profile: name or path, else O1_PROFILE, else nano.

        home: else O1_HOME, else .o1 in the clone, or in the working directory if the package is not of a clone.

        Raises BadSetting.
        """
        name = profile or os.environ.get("O1_PROFILE") or DEFAULT_PROFILE
        file = profile_file(name)
        if file:
            name, file = file.stem, None if file.parent == BUILT_IN else file
        root = (
            Path(home or os.environ.get("O1_HOME") or (PROJECT if IS_CLONE else Path.cwd()) / ".o1")
            .expanduser()
            .resolve()
        )
        _check_name(root)
        _check_name(root / name)
        settings = cls(name, root / name, file)
        settings._check_owner()
        return settings

    @property
    def reference(self) -> str:
        """What --profile or O1_PROFILE has to be to find the profile again."""
        return str(self.file) if self.file else self.profile

    @property
    def _owner(self) -> Path:
        """The file that says which profile the home belongs to."""
        return self.home / "profile_file"

    def _check_owner(self) -> None:
        """Raises BadSetting if the home belongs to another file of the same name.

        A file that was moved, together with its home or not, keeps it: there is no other one to confuse it with.
        """
        if self.file is None or not self._owner.is_file():
            return
        owner = Path(self._owner.read_text(encoding="utf-8").strip())
        if owner.is_file() and not owner.samefile(self.file):
            raise BadSetting(
                f"{self.home} belongs to the profile {owner}, and profiles of one name share their home: rename "
                f"{self.file}, or set O1_HOME to another folder"
            )

    @property
    def shared(self) -> bool:
        """Whether others may read the home as the umask and its mode say: O1_SHARED=1."""
        return os.environ.get("O1_SHARED", "") not in ("", "0")

    def make_home(self) -> None:
        """Creates the home, and O1_HOME if it is missing, for their owner alone unless they are shared.

        Raises BadSetting.
        """
        # It holds what labellers wrote and, in Dagster's log, whatever a computation printed.
        for folder in (self.home.parent, self.home):
            try:
                folder.mkdir(mode=0o777 if self.shared else 0o700, parents=True, exist_ok=True)
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise
                raise BadSetting(
                    f"{folder} cannot be made ({error.strerror}); set O1_HOME to a folder that you can write to"
                ) from None
        if self.file and not (self._owner.is_file() and self._owner.read_text().strip() == str(self.file)):
            replace_file(self._owner, f"{self.file}\n".encode())

    def close_home(self) -> str:
        """Takes a home of ours from everybody else if everybody could read it; says so in a sentence, else nothing.

        A home that only a group can read was opened on purpose, and stays as it is.
        """
        if self.shared or not self.home.is_dir():
            return ""
        info = self.home.stat()
        # O1_HOME may be a folder of other things too: only what holds a home's folders is a home.
        ours = info.st_uid == os.geteuid() and any(
            (self.home / name).is_dir() for name in ("store", "inbox", "work")
        )
        if not (ours and info.st_mode & 0o007):
            return ""
        try:
            self.home.chmod(info.st_mode & 0o7700)
        except OSError:  # a disk that knows no modes, or that cannot be written
            return ""
        return (
            f"everybody on this machine could read {self.home}; now only you can. To share it, `chmod` it and set "
            "O1_SHARED=1"
        )

    @property
    def store(self) -> str:
        """URL of the artifact store: O1_STORE (any fsspec URL, the profile is appended) or a folder under home."""
        # With the profile: heads say which version of a key is today's, and profiles share their keys.
        base = os.environ.get("O1_STORE")
        return f"{base.rstrip('/')}/{self.profile}" if base else str(self.home / "store")

    @property
    def work(self) -> Path:
        """Scratch: half-made artifacts and local copies of a remote store. It may be deleted at any time."""
        return self.home / "work"

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def labeling_page(self) -> Path:
        """Who may open the labelling page, and what they have done there that is not in the inbox yet."""
        return self.home / "labeling.sqlite3"

    @property
    def imported(self) -> Path:
        """The folder of imported label sources, with a folder for each."""
        return self.home / "imported"

    @property
    def catalogue(self) -> Path:
        return self.home / "catalogue.duckdb"

    @property
    def report(self) -> Path:
        # Not in the store: the page says how long things took, so that two equal runs write different bytes.
        return self.home / "report.html"

    @property
    def runs(self) -> Path:
        """The folder with one JSON file a run: its seconds, how many of them were computing, and what it made."""
        return self.home / "runs"

    @property
    def lock(self) -> Path:
        return self.home / "run.lock"

    @property
    def postgres(self) -> str | None:
        """O1_DAGSTER_POSTGRES: where Dagster keeps runs and events instead of SQLite. Raises BadSetting."""
        url = os.environ.get("O1_DAGSTER_POSTGRES") or None
        # A wrong address would otherwise only be found when the first run opens the database.
        if url and not url.startswith(("postgresql://", "postgresql+psycopg2://")):
            raise BadSetting(
                "O1_DAGSTER_POSTGRES is no address of a Postgres database; write "
                "postgresql://USER:PASSWORD@HOST:5432/DATABASE, or unset it to use SQLite"
            )
        return url

    @property
    def ui_origins(self) -> frozenset[str]:
        """O1_UI_ORIGINS: under which addresses a proxy publishes Dagster's web interface. Raises BadSetting."""
        return frozenset(
            _origin(text) for text in os.environ.get("O1_UI_ORIGINS", "").replace(",", " ").split()
        )

    def dagster_home(self) -> Path:
        """The Dagster instance's folder, with the dagster.yaml that the settings ask for. Raises BadSetting.

        A file that somebody changed stays as it is.
        """
        self.make_home()
        folder = self.home / "dagster"
        folder.mkdir(exist_ok=True)
        config = folder / "dagster.yaml"
        wanted = DAGSTER_YAML + (POSTGRES_YAML if self.postgres else "")
        present = config.read_bytes() if config.exists() else b""
        ours = {text.encode() for text in ("", DAGSTER_YAML, DAGSTER_YAML + POSTGRES_YAML)}
        if present in ours or hashlib.sha256(present).hexdigest() in FORMER_YAML:
            # Written only where it differs: the UI and the daemon may be reading it.
            if present != wanted.encode():
                replace_file(config, wanted.encode())
        elif self.postgres and b"O1_DAGSTER_POSTGRES" not in present:
            raise BadSetting(
                f"O1_DAGSTER_POSTGRES is set, but {config} was changed by hand and does not name it; add:\n"
                f"{POSTGRES_YAML}"
            )
        return folder


def _origin(text: str) -> str:
    """An address in the form in which browsers name it. Raises BadSetting."""
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path not in ("", "/")
        or "*" in text
    ):
        raise BadSetting(
            f"{text!r} in O1_UI_ORIGINS is no address of a web server; write https://HOST or https://HOST:PORT, "
            "several with a comma between them"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")
