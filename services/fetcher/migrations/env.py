from fetcher.adapters.tables import METADATA
from shared.migration_env import run

run(METADATA)
