"""Logs as JSON lines, and every metric of the system in one list."""

from __future__ import annotations

import logging
import sys

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)

EVENTS_HANDLED = Counter(
    "mailconverter_events_handled_total",
    "Events by topic, consumer and result: done, repeated, dead_letter, ignored",
    ["topic", "consumer", "result"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram("mailconverter_batch_seconds", "Time to handle one batch of events", ["topic", "consumer"], registry=REGISTRY)
RETRIES = Counter("mailconverter_retries_total", "Retries by what was retried and why", ["what", "reason"], registry=REGISTRY)
OUTBOX_SENT = Counter("mailconverter_outbox_sent_total", "Rows of the outbox that Kafka acknowledged", ["topic"], registry=REGISTRY)
OUTBOX_PARKED = Gauge("mailconverter_outbox_parked", "Rows the producer refused; look at them", registry=REGISTRY)
OUTBOX_WAITING = Gauge("mailconverter_outbox_waiting", "Rows not yet sent", registry=REGISTRY)
DEAD_LETTERS = Gauge("mailconverter_dead_letters", "Dead letters that wait for a person", registry=REGISTRY)
BRAKED = Gauge(
    "mailconverter_consumer_braked", "1 while a consumer stands still after too many dead letters", ["consumer"], registry=REGISTRY
)
MAILS_FETCHED = Counter("mailconverter_mails_fetched_total", "Mails read over IMAP", ["result"], registry=REGISTRY)
SCANS = Counter("mailconverter_scans_total", "Scans of a mailbox by result", ["result"], registry=REGISTRY)
MAILBOXES_HELD = Gauge("mailconverter_mailboxes_held", "Mailboxes this fetcher holds", registry=REGISTRY)
CONNECTIONS = Gauge("mailconverter_imap_connections", "IMAP connections open or being opened", registry=REGISTRY)
SCAN_LATENESS = Histogram(
    "mailconverter_scan_lateness_seconds",
    "Time from when a scan was due to its beginning: the wait for a free connection",
    buckets=(0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
    registry=REGISTRY,
)
MOVES = Counter("mailconverter_moves_total", "Mails moved between folders by result", ["result"], registry=REGISTRY)
TOKEN_RENEWALS = Counter("mailconverter_token_renewals_total", "OAuth tokens renewed by result", ["result"], registry=REGISTRY)
TOKEN_EXPIRY = Gauge(
    "mailconverter_token_expiry_seconds", "When the access token of a mailbox ends (Unix time)", ["scanner"], registry=REGISTRY
)
SENDER_TOKEN_EXPIRY = Gauge(
    "mailconverter_sender_token_expiry_seconds",
    "When the access token of an SMTP identity ends (Unix time)",
    ["sender"],
    registry=REGISTRY,
)
FETCH_DELAY = Histogram(
    "mailconverter_fetch_delay_seconds",
    "Time from a mail's INTERNALDATE to its publication",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
    registry=REGISTRY,
)
MAILS_DECIDED = Counter("mailconverter_mails_decided_total", "Decisions by the kind of mail", ["kind"], registry=REGISTRY)
RULES_PREPARED = Histogram("mailconverter_rules_prepared_seconds", "Time to compile a version of a mailbox's rules", registry=REGISTRY)
CONDITIONS_ONE_BY_ONE = Counter(
    "mailconverter_conditions_one_by_one_total",
    "Conditions of a field asked one by one, slowly, by reason: too_many (fields of a prepared set), out_of_memory (fields of mails)",
    ["reason"],
    registry=REGISTRY,
)
OUTCOMES = Counter("mailconverter_outcomes_total", "Outcomes of mails by type", ["type"], registry=REGISTRY)
SEARCH_WAITING = Gauge("mailconverter_search_waiting", "Tickets the search has to read anew", registry=REGISTRY)
SEARCH_AGE = Gauge("mailconverter_search_age_seconds", "For how long the oldest change has waited for the search", registry=REGISTRY)
AUTOMATIC_MAILS = Counter(
    "mailconverter_automatic_mails_total",
    "Acknowledgements and notices by mode and result: sent, refused (by what the mail is), limited (too many in 24 hours)",
    ["mode", "result"],
    registry=REGISTRY,
)
TICKETS_PURGED = Counter("mailconverter_tickets_purged_total", "Deleted tickets removed for good", registry=REGISTRY)
SMTP_RESULTS = Counter("mailconverter_smtp_results_total", "SMTP dialogues by result", ["result"], registry=REGISTRY)
WEBHOOK_TRIES = Counter(
    "mailconverter_webhook_tries_total",
    "Calls of webhooks by result: delivered, waiting (tried again), failed",
    ["result"],
    registry=REGISTRY,
)
WEBHOOKS_WAITING = Gauge("mailconverter_webhooks_waiting", "Changes that webhooks are still to be told", registry=REGISTRY)
WEBHOOKS_DISABLED = Counter("mailconverter_webhooks_disabled_total", "Webhooks switched off by themselves", registry=REGISTRY)


def configure_logging(service: str, level: str) -> None:
    """One JSON object a line on standard output; library logs go the same way. Call once at start."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(ensure_ascii=False)],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("aiokafka", "httpx", "httpcore", "uvicorn.access", "alembic"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger whose keyword arguments become fields of the JSON line."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger
