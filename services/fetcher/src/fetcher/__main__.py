"""`python -m fetcher` serves; `python -m fetcher migrate` brings its database to the newest schema."""

import sys

from fetcher.app import create_app
from fetcher.settings import Settings
from shared.service import run

sys.exit(run("fetcher", Settings, create_app))
