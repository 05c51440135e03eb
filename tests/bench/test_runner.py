"""One run: who is measured when, and what a failure stops."""

import os
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import BenchError, runner
from bench.cases import Case, Outcome, Session, Settings
from bench.dataset import Dataset
from bench.requests import Endpoint
from bench.runner import run_cases
from bench.samples import Failure, Sample
from bench.targets import Server, Target
from bench.understore import UnderStore

_ENDPOINT = Endpoint(host="127.0.0.1", port=1)


def _target(name: str) -> Target:
    return Target(name=name, summary="", absence=lambda: None, command=None)


_TARGETS = [_target("ours"), _target("theirs")]


@pytest.fixture(autouse=True)
def _started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that need no process."""

    @contextmanager
    def started(target: Target, *_: object) -> Iterator[Server]:
        yield Server(target=target, endpoint=_ENDPOINT, pid=os.getpid())

    monkeypatch.setattr(runner, "started", started)


def _session(directory: Path, rounds: int) -> Session:
    cores = os.sched_getaffinity(0)
    settings = Settings(rounds=rounds, server_cores=frozenset(cores), load_cores=frozenset(cores))
    dataset = Dataset(directory, directory)
    under_store = UnderStore("s3proxy", dataset, directory, cores)
    return Session(settings=settings, dataset=dataset, scratch=directory, under_store=under_store)


def _case(name: str, measure: Callable[[Session, Server], Outcome], *, once: bool = False) -> Case:
    return Case(
        workload="w",
        name=name,
        targets=("ours", "theirs"),
        prepare=lambda _session, _endpoint: None,
        measure=measure,
        once=once,
    )


def _measured(_session: Session, _server: Server) -> Outcome:
    return Outcome(metrics={"seconds": 1.0})


def _run(directory: Path, *cases: Case, rounds: int = 2, done: runner.Turns = ()) -> list[Sample | Failure]:
    reported: list[Sample | Failure] = []
    run_cases(_session(directory, rounds), cases, _TARGETS, reported.append, done)
    return reported


def test_run_takes_targets_in_turn(tmp_path: Path) -> None:
    taken = [(each.target, each.turn) for each in _run(tmp_path, _case("a", _measured))]
    assert taken == [("ours", 0), ("theirs", 0), ("ours", 1), ("theirs", 1)]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_run_of_a_pinned_case_keeps_server_and_load_on_cores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    session = _session(tmp_path, rounds=1)
    settings = replace(session.settings, server_cores=frozenset({server_core}), load_cores=frozenset({load_core}))
    seen: list[tuple[list[int], list[int]]] = []

    @contextmanager
    def started(target: Target, _root: Path, _scratch: Path, cores: Set[int], _upstream: object) -> Iterator[Server]:
        seen.append((sorted(cores), sorted(os.sched_getaffinity(0))))
        yield Server(target=target, endpoint=_ENDPOINT, pid=os.getpid())

    monkeypatch.setattr(runner, "started", started)
    run_cases(replace(session, settings=settings), [_case("a", _measured)], _TARGETS[:1], lambda _: None)
    assert all(each == ([server_core], [load_core]) for each in seen)
    assert seen


def test_run_of_a_case_that_takes_long_takes_one_turn(tmp_path: Path) -> None:
    assert [each.target for each in _run(tmp_path, _case("a", _measured, once=True))] == ["ours", "theirs"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BenchError("a wrong response"), "a wrong response"), (ValueError("no Parquet"), "ValueError: no Parquet")],
)
def test_run_with_a_turn_that_fails_in_any_way_goes_on(tmp_path: Path, error: Exception, reason: str) -> None:
    def measure(session: Session, server: Server) -> Outcome:
        if server.target.name == "ours":
            raise error
        return _measured(session, server)

    first, second, *_ = _run(tmp_path, _case("a", measure))
    assert first == Failure(case="a", target="ours", turn=0, reason=reason)
    assert isinstance(second, Sample)


def test_run_with_a_case_that_cannot_be_prepared_goes_on_with_the_next(tmp_path: Path) -> None:
    def prepare(_session: Session, _endpoint: Endpoint | None) -> None:
        raise OSError(28, "No space left on device")

    lost = Case(workload="w", name="lost", targets=("ours",), prepare=prepare, measure=_measured)
    failure, sample = _run(tmp_path, lost, _case("next", _measured, once=True))[:2]
    assert isinstance(failure, Failure)
    assert (failure.case, failure.target) == ("lost", "preparation")
    assert isinstance(sample, Sample)


def test_run_that_is_resumed_takes_only_what_is_missing(tmp_path: Path) -> None:
    done = {("a", "ours", 0), ("a", "theirs", 0), ("a", "ours", 1), ("b", "ours", 0), ("b", "theirs", 0)}
    cases = _case("a", _measured), _case("b", _measured, once=True)
    (only,) = _run(tmp_path, *cases, done=done)
    assert (only.case, only.target, only.turn) == ("a", "theirs", 1)
