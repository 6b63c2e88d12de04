"""Postgres, the archive and the outbox: everything tickets reads and writes."""
