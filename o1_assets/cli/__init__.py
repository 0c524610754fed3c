"""The command line."""


def main() -> None:
    """Entry point of the `o1` console script; the rest is imported only when a command runs."""
    from o1_assets.cli.main import main as run_command

    run_command()
