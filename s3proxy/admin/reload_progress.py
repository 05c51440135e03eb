"""How a reload goes: told by the supervisor, shown by the admin process, waited for by ``s3proxy reload``.

It lies on a board of its own (metrics/reports.py), so that the supervisor still answers nobody.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Final

from s3proxy.metrics.reports import ReportBoard

_REFUSAL_LENGTH: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Of the reload that goes on, or of the last one. Whoever asks for one waits for the next that begins."""

    begun: int = 0
    """Reloads since the node began."""
    ended: int = 0
    """Of those, the ones that are over."""
    processes: int = 0
    """How many there are to replace."""
    replaced: int = 0
    """How many of them were."""
    refusal: str = ""
    """Why the last one that is over was refused; empty when it was not."""


@dataclass(slots=True, kw_only=True, eq=False)
class ProgressTeller:
    """Tells it, step by step."""

    board: ReportBoard
    _now: Progress = field(default_factory=Progress)

    def begin(self, processes: int) -> None:
        """A reload begins, of so many processes."""
        self._tell(Progress(begun=self._now.begun + 1, ended=self._now.ended, processes=processes))

    def count_replaced(self) -> None:
        """One more process was replaced."""
        self._tell(replace(self._now, replaced=self._now.replaced + 1))

    def end(self, refusal: str) -> None:
        """The reload is over; ``refusal`` says why it was refused, or nothing."""
        # A message of the operating system may hold a long path, and has to fit on the board.
        self._tell(replace(self._now, ended=self._now.begun, refusal=refusal[:_REFUSAL_LENGTH]))

    def _tell(self, progress: Progress) -> None:
        self._now = progress
        self.board.publish(json.dumps(asdict(progress)).encode())


def progress_on(board: ReportBoard) -> Progress:
    """What the supervisor has told last."""
    report = board.read_own()
    return Progress(**json.loads(report)) if report else Progress()
