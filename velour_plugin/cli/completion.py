"""``velour completion``."""

from __future__ import annotations

import click

SHELLS = ("bash", "fish", "zsh")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which SHELL completes commands and options of velour.

    \b
    $ echo 'eval "$(velour completion bash)"' >> ~/.bashrc
    $ echo 'eval "$(velour completion zsh)"' >> ~/.zshrc
    $ velour completion fish > ~/.config/fish/completions/velour.fish
    """
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root().command
    script = get_completion_class(shell)
    assert script is not None  # click has one for each of the choices
    click.echo(script(root, {}, "velour", "_VELOUR_COMPLETE").source())
