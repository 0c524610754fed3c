"""The command line."""

import sys

_MODULES = {
    "ask": "ask",
    "audit": "audit",
    "card": "report",
    "export": "report",
    "gc": "gc",
    "plan": "plan",
    "play": "play",
    "publish": "share",
    "refresh": "run",
    "report": "report",
    "results": "report",
    "run": "run",
    "serve": "serve",
    "status": "status",
    "ui": "run",
}
"""Command -> the file of this folder that has it. A group of commands, such as `o1 labels`, is not among them."""


def main() -> None:
    """Entry point of the `o1` console script: only what the command needs is imported."""
    from importlib import import_module

    name = _MODULES.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if name is None:
        from o1_assets.cli.main import main as run_command

        run_command()
    else:
        if name in ("status", "run"):
            from o1_assets.cli.put_off import import_when_used

            import_when_used()
        # A running server answers in less time than the other commands take to be imported.
        from o1_assets.cli.errors import run_alone

        run_alone(import_module(f"o1_assets.cli.{name}").app)
