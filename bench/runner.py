"""One run: every chosen case, its targets in turn (A B A B), each turn on a server of its own that was just started.

What stands behind a cache is started once; the relay before it, and the cache with empty tiers, for each turn.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from bench import BenchError
from bench.cases import Case, Session
from bench.measure import running_on
from bench.samples import Failure, Sample
from bench.targets import Server, Target, started

Report = Callable[[Sample | Failure], None]


def run_cases(session: Session, cases: Iterable[Case], targets: Sequence[Target], report: Report) -> None:
    """Measure and report turn by turn; a turn that fails is reported as a ``Failure`` and the run goes on."""
    for case in cases:
        chosen = [target for target in targets if target.name in case.targets]
        if chosen:
            with running_on(session.settings.load_cores if case.is_pinned else session.settings.all_cores):
                _run_case(session, case, chosen, report)


def _run_case(session: Session, case: Case, targets: Sequence[Target], report: Report) -> None:
    try:
        _prepare(session, case, targets)
    except (BenchError, OSError) as error:
        report(Failure(case=case.name, target="preparation", turn=0, reason=str(error)))
        return
    for turn in range(1 if case.once else session.settings.rounds):
        for target in targets:
            report(_take_turn(session, case, target, turn))


def _prepare(session: Session, case: Case, targets: Sequence[Target]) -> None:
    speakers = [target for target in targets if target.speaks_s3 and not target.caches]
    with ExitStack() as stack:
        server = stack.enter_context(_started(session, case, speakers[0])) if speakers else None
        case.prepare(session, server.endpoint if server else None)


def _take_turn(session: Session, case: Case, target: Target, turn: int) -> Sample | Failure:
    os.sync()  # what the turn before left to be written is not this one's burden
    try:
        with _started(session, case, target) as server:
            outcome = case.measure(session, server)
    except (BenchError, OSError) as error:
        return Failure(case=case.name, target=target.name, turn=turn, reason=str(error))
    return Sample(
        workload=case.workload,
        case=case.name,
        target=target.name,
        turn=turn,
        metrics=outcome.metrics,
        load_limited=outcome.usage is not None and outcome.usage.load_limited,
    )


@contextmanager
def _started(session: Session, case: Case, target: Target) -> Iterator[Server]:
    cores = session.settings.server_cores if case.is_pinned else session.settings.all_cores
    with ExitStack() as stack:
        upstream = stack.enter_context(session.under_store.linked(case.link)) if case.link else None
        yield stack.enter_context(started(target, session.dataset.root, session.scratch, cores, upstream))
