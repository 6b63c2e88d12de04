"""`python -m tickets` serves; `python -m tickets migrate` brings the database up to date."""

import sys

from shared.service import run
from tickets.app import create_app
from tickets.settings import Settings

if __name__ == "__main__":
    sys.exit(run("tickets", Settings, create_app))
