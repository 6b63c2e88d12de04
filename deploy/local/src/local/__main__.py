"""`python -m local up`: the embedded stack's commands without the console's."""

from __future__ import annotations

import click

from local.cli import send, status, up

main = click.Group("local", {"up": up, "status": status, "send": send})

if __name__ == "__main__":
    main(prog_name="python -m local")
