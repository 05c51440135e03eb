"""One run: every chosen case, its targets in turn (A B A B), each turn on a server of its own that was just started.

What stands behind a cache is started once; the relay before it, and the cache with empty tiers, for each turn.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from bench import BenchError
from bench.cases import Case, Session
from bench.measure import running_on
from bench.samples import Failure, Metrics, Sample
from bench.targets import Data, Server, Target, started
from bench.understore import THINGS, is_counted, seen

Report = Callable[[Sample | Failure], None]
Turns = Collection[tuple[str, str, int]]
"""Case, target and number of each."""


def run_cases(
    session: Session, cases: Iterable[Case], targets: Sequence[Target], report: Report, done: Turns = ()
) -> None:
    """Measure and report turn by turn, but for the turns that are ``done``.

    A turn that fails is reported as a ``Failure``, and the run goes on.
    """
    for case in cases:
        turns = [turn for turn in _turns(session, case, targets) if (case.name, turn[1].name, turn[0]) not in done]
        if turns:
            with running_on(session.settings.load_cores if case.is_pinned else session.settings.all_cores):
                _run_case(session, case, turns, report)


def _turns(session: Session, case: Case, targets: Sequence[Target]) -> list[tuple[int, Target]]:
    """A B A B: what changes on the machine in the course of a case should meet all alike."""
    chosen = [target for target in targets if target.name in case.targets]
    return [(turn, target) for turn in range(1 if case.once else session.settings.rounds) for target in chosen]


def _run_case(session: Session, case: Case, turns: Sequence[tuple[int, Target]], report: Report) -> None:
    try:
        _prepare(session, case, [target for _, target in turns])
    except Exception as error:  # whatever a client library raises: the other cases may do
        report(_failure(case, "preparation", 0, error))
        return
    for turn, target in turns:
        report(_take_turn(session, case, target, turn))


def _prepare(session: Session, case: Case, targets: Sequence[Target]) -> None:
    targets = [target for target in targets if target.data is Data.SHARED]
    if not targets:
        return
    speakers = [target for target in targets if target.speaks_s3 and not target.caches]
    with ExitStack() as stack:
        server = stack.enter_context(_started(session, case, speakers[0])) if speakers else None
        case.prepare(session, server.endpoint if server else None)


def _take_turn(session: Session, case: Case, target: Target, turn: int) -> Sample | Failure:
    os.sync()  # what the turn before left to be written is not this one's burden
    try:
        with _started(session, case, target) as server:
            outcome = case.measure(_prepared(session, case, server), server)
            asked = _store_requests(server, outcome.metrics)
    except Exception as error:  # whatever a client library raises: the others may do better
        return _failure(case, target.name, turn, error)
    return Sample(
        workload=case.workload,
        case=case.name,
        target=target.name,
        turn=turn,
        metrics={**outcome.metrics, **asked},
        load_limited=outcome.usage is not None and outcome.usage.load_limited,
    )


def _store_requests(server: Server, metrics: Metrics) -> Metrics:
    """What the under-store was asked in the whole turn, where that is counted and the case does not say it better."""
    if not is_counted(server.upstream) or "store_requests" in metrics:
        return {}
    return {"store_requests": float(seen(server.upstream).requests(path=THINGS))}


def _failure(case: Case, target: str, turn: int, error: Exception) -> Failure:
    reason = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
    return Failure(case=case.name, target=target, turn=turn, reason=reason)


def _prepared(session: Session, case: Case, server: Server) -> Session:
    """The session as this server sees it, who is sent its objects now if it keeps them itself."""
    own = session.seen_by(server.target)
    if server.target.data is not Data.SHARED:
        case.prepare(own, server.endpoint)
        os.sync()
    return own


@contextmanager
def _started(session: Session, case: Case, target: Target) -> Iterator[Server]:
    cores = session.settings.server_cores if case.is_pinned else session.settings.all_cores
    with ExitStack() as stack:
        upstream = stack.enter_context(session.under_store.linked(case.link)) if case.link else None
        root = session.seen_by(target).dataset.root
        sized = replace(target, memory_size=case.memory_size)
        yield stack.enter_context(started(sized, root, session.scratch, cores, upstream))
