"""What a run leaves behind to compute with: JSON lines."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench import BenchError
from bench.machine import Machine
from bench.samples import Failure, Sample

RESULTS: Final = "results.jsonl"

_KINDS: Final[dict[str, Callable[..., Machine | Sample | Failure]]] = {
    "machine": Machine,
    "sample": Sample,
    "failure": Failure,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one run measured. Of a run that was resumed: the machine as it was at last."""

    machine: Machine | None
    samples: list[Sample]
    failures: list[Failure]

    def turns(self) -> frozenset[tuple[str, str, int]]:
        """Case, target and number of each turn that gave figures."""
        return frozenset((each.case, each.target, each.turn) for each in self.samples)


class ResultsFile:
    """``results.jsonl`` as it grows: a line for the machine, then one a turn, each written out at once.

    So an interrupted run leaves all that it measured.
    """

    def __init__(self, directory: Path, *, keep: Results | None = None) -> None:
        """Begin a file in place of one that is there; ``keep`` is what that one held and this one is to hold, too.

        Failures are not kept: their turns are taken again.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / RESULTS
        fresh = self.path.with_suffix(".new")
        kept: list[Machine | Sample] = [] if keep is None else [*keep.samples]
        if keep and keep.machine:
            kept.insert(0, keep.machine)
        fresh.write_text("".join(_line(each) for each in kept))
        fresh.replace(self.path)

    def add(self, entry: Machine | Sample | Failure) -> None:
        """Append one line; ``kind`` says what it is."""
        with self.path.open("a") as file:
            file.write(_line(entry))


def _line(entry: Machine | Sample | Failure) -> str:
    return json.dumps({"kind": type(entry).__name__.lower(), **asdict(entry)}) + "\n"


def read_results(directory: Path) -> Results:
    """Read what a run left; a last line that was not written to its end is left out.

    Raises:
        BenchError: there is no such file, or it is not one of ours.
    """
    try:
        text = (directory / RESULTS).read_text()
        entries = [_parse_line(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BenchError(f"{directory / RESULTS} cannot be read: {error!r}") from error
    machines = [each for each in entries if isinstance(each, Machine)]
    return Results(
        machine=machines[-1] if machines else None,
        samples=[each for each in entries if isinstance(each, Sample)],
        failures=[each for each in entries if isinstance(each, Failure)],
    )


def _parse_line(line: str) -> Machine | Sample | Failure:
    entry = json.loads(line)
    return _KINDS[entry.pop("kind")](**entry)
