"""The rules service put together: settings → adapters → application."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from rules.adapters import counts
from rules.adapters.prepared import PreparedSets
from rules.adapters.resolutions import Resolutions
from rules.adapters.tables import ERASED, MESSAGING
from rules.api import routers
from rules.erasure import STEPS
from rules.examples import Examples
from rules.handlers import Decider, OutcomeNotes, on_failure, on_outcome, on_scanner
from rules.rule_sets import RuleSets
from rules.settings import RulesSettings
from rules.simulation.simulations import Simulations
from rules.simulation.simulator import AT_ONCE, Simulator
from rules.simulation.trial import Trial
from rules.trying import ExampleTrial
from shared.erasure.eraser import Eraser
from shared.messaging.consumer import Consumer
from shared.service import Service
from shared.topics import MAIL_OUTCOMES, MAIL_RAW, PRIVACY_ERASURES, PRIVACY_REPORTS, SCANNERS


def create_app(settings: RulesSettings) -> FastAPI:
    """The application; nothing connects before it starts."""
    service = Service("rules", settings, MESSAGING, archive=True)
    decider = Decider(service.archive, PreparedSets())
    consumer = partial(Consumer, "rules", outbox=service.outbox, tables=MESSAGING, settings=settings)
    service.consume(consumer(MAIL_RAW, decider.on_mail, begin=decider.decide, on_failure=on_failure))
    service.consume(consumer(MAIL_OUTCOMES, on_outcome, begin=OutcomeNotes().note))
    service.consume(consumer(SCANNERS, on_scanner))
    eraser = Eraser("rules", service.outbox, ERASED, STEPS, after_fetcher=True)
    service.consume(consumer(PRIVACY_ERASURES, eraser.on_erasure))
    service.consume(consumer(PRIVACY_REPORTS, eraser.on_report))
    service.loop(eraser.run)
    trial = Trial(service.engine, Resolutions(settings))
    example_trial = ExampleTrial(service.engine, service.archive, trial)
    sets = RuleSets(service.engine, settings.scanner_wait_seconds, example_trial)
    simulator = Simulator(service.engine, service.archive, trial, settings)
    for _ in range(AT_ONCE):
        service.loop(simulator.run)
    service.loop(simulator.run_tidying)
    service.loop(partial(counts.tidy, service.engine))
    examples = Examples(service.engine, trial, example_trial)
    return service.app(routers(service.engine, sets, examples, Simulations(service.engine, sets)))
