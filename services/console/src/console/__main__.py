"""`python -m console` serves; `python -m console migrate` brings the database to the newest schema."""

import sys

from console.app import create_app
from console.settings import Settings
from shared.service import run

if __name__ == "__main__":
    sys.exit(run("console", Settings, create_app))
