"""The command line."""

import sys


def main() -> None:
    """Entry point of the `o1` console script; the rest is imported only when a command runs."""
    # A running server answers in less time than the other commands take to be imported.
    if sys.argv[1:2] == ["ask"]:
        from o1_assets.cli.ask import main as run_command
    else:
        from o1_assets.cli.main import main as run_command
    run_command()
