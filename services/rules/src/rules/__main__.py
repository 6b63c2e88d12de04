"""`python -m rules` serves, `python -m rules migrate` brings its database to the newest schema."""

from __future__ import annotations

import sys

from rules.app import create_app
from rules.settings import RulesSettings
from shared.service import run

if __name__ == "__main__":
    sys.exit(run("rules", RulesSettings, create_app))
