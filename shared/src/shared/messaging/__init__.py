"""Kafka and the tables that make it safe: inbox, outbox with its relay, dead letters."""
