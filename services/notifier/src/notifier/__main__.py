"""`python -m notifier` serves; `python -m notifier migrate` brings its database to the newest schema."""

import sys

from notifier.app import create_app
from notifier.settings import Settings
from shared.service import run

sys.exit(run("notifier", Settings, create_app))
