"""What one process remembers of its work: which objects were asked for most, which requests were slow, what failed.

All of it is bounded, and none of it has the query of a request, whose signature is as good as a key while it lasts.
"""

import heapq
import itertools
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from s3proxy.metrics.busiest import BusiestObjects, BusyObject, split_resource
from s3proxy.metrics.meters import Answered
from s3proxy.metrics.reports import REPORT_BYTES

_MOST_BUSY: Final = 50
_MOST_SLOW: Final = 50
_MOST_ERRORS: Final = 50
_SLOW_SECONDS: Final = 3600.0
_MOST_MESSAGE: Final = 400
"""Characters of an error's words."""

_FORMAT: Final = 1
"""Of reports; while a node is upgraded, processes of two versions may tell each other."""

Entry = dict[str, Any]  # Any: as JSON has it, for readers in other processes


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Something that went wrong, in words."""

    at: float
    """Seconds since 1970."""
    message: str
    code: str | None = None
    """S3's name of the error; None where no request failed for it."""
    status: int | None = None
    operation: str | None = None
    resource: str | None = None
    request_id: str | None = None


class Activity:
    """Remembers what is worth a look.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = lambda: time.time_ns() / 1e9) -> None:
        self._clock = clock
        self._busiest = BusiestObjects(clock)
        self._slowest: list[tuple[float, int, Entry]] = []
        self._numbers = itertools.count()  # so that no two entries of the heap are compared as dicts
        self._slow_enough = 0.0
        self._failures: deque[Failure] = deque(maxlen=_MOST_ERRORS)

    def note_requests(self, answered: Iterable[Answered]) -> None:
        """Remember those requests that are among the slowest, and which objects are the busiest."""
        count = self._busiest.count
        for request in answered:
            if request[1] < 400:
                count(request[0].resource, request[4])
            if request[2] > self._slow_enough:
                self._note_slow(request)

    def note_failure(self, failure: Failure) -> None:
        """Remember what went wrong; the oldest gives way."""
        self._failures.append(failure)

    def report(self, more_failures: Iterable[Failure] = ()) -> bytes:
        """All of it in JSON, short enough for a ``ReportBoard``.

        Args:
            more_failures: what went wrong outside of requests.
        """
        self._forget_slow()
        failures = heapq.nlargest(_MOST_ERRORS, (*self._failures, *more_failures), key=lambda failure: failure.at)
        content: dict[str, list[Entry] | list[BusyObject]] = {
            "busiest": self._busiest.top(_MOST_BUSY),
            "slowest": [entry for _, _, entry in sorted(self._slowest, reverse=True)],
            "errors": [asdict(failure) | {"message": failure.message[:_MOST_MESSAGE]} for failure in failures],
        }
        while len(report := json.dumps({"format": _FORMAT, **content}).encode("ascii")) > REPORT_BYTES:
            content = {name: entries[: len(entries) // 2] for name, entries in content.items()}
        return report

    def recall(self, report: bytes) -> None:
        """Go on from what another process, now dead, had reported last; its counts of busy objects are lost."""
        for content in _read((report,)):
            self._failures.extend(Failure(**entry) for entry in reversed(content["errors"]))
            for entry in content["slowest"]:
                self._keep_slow(entry)

    def _note_slow(self, request: Answered) -> None:
        asked, status, seconds, first_byte_seconds, sent, _, _ = request
        bucket, key = split_resource(asked.resource)
        entry = {
            "at": self._clock(),
            "operation": asked.operation,
            "bucket": bucket,
            "key": key,
            "status": status,
            "seconds": seconds,
            "first_byte_seconds": first_byte_seconds,
            "bytes": sent,
            "client": asked.peer,
        }
        self._keep_slow(entry)

    def _keep_slow(self, entry: Entry) -> None:
        slow = (entry["seconds"], next(self._numbers), entry)
        if len(self._slowest) < _MOST_SLOW:
            heapq.heappush(self._slowest, slow)
        else:
            heapq.heappushpop(self._slowest, slow)
        self._set_threshold()

    def _forget_slow(self) -> None:
        since = self._clock() - _SLOW_SECONDS
        self._slowest = [slow for slow in self._slowest if slow[2]["at"] >= since]
        heapq.heapify(self._slowest)
        self._set_threshold()

    def _set_threshold(self) -> None:
        self._slow_enough = self._slowest[0][0] if len(self._slowest) == _MOST_SLOW else 0.0


def merged(reports: Iterable[bytes]) -> Mapping[str, list[Entry]]:
    """What the processes of a node remember together, the most important first: busiest, slowest and errors."""
    contents = _read(reports)
    busiest: dict[tuple[str, str], Entry] = {}
    for entry in _all("busiest", contents):
        known = busiest.setdefault((entry["bucket"], entry["key"]), {**entry, "requests": 0, "bytes": 0})
        known["requests"] += entry["requests"]
        known["bytes"] += entry["bytes"]
    return {
        "busiest": heapq.nlargest(_MOST_BUSY, busiest.values(), key=lambda entry: entry["requests"]),
        "slowest": heapq.nlargest(_MOST_SLOW, _all("slowest", contents), key=lambda entry: entry["seconds"]),
        "errors": heapq.nlargest(_MOST_ERRORS, _all("errors", contents), key=lambda entry: entry["at"]),
    }


def _read(reports: Iterable[bytes]) -> list[Mapping[str, list[Entry]]]:
    contents = [json.loads(report) for report in reports if report]
    return [content for content in contents if content["format"] == _FORMAT]


def _all(name: str, contents: Iterable[Mapping[str, list[Entry]]]) -> list[Entry]:
    return [entry for content in contents for entry in content[name]]
