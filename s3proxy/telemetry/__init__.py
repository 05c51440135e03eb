"""What the node says about itself: events, the access log and the audit log; and whom it is working for.

* ``events.py``: what the node has to say, on standard error.
* ``access.py``: a line for each request, written in the background.
* ``audit.py``: a line for each change and each refusal, written before its answer begins.
* ``lines.py``: lines that wait, bounded. ``text.py``: foreign text made harmless.
* ``context.py``: whom a task works for, and for which request.

Invariants: every line is printable ASCII, whole in one write, and without what looks like a secret or is one. A log
that cannot be written costs its lines, never a request. What both logs are told is decided in ``gateway.recording``.
"""

from s3proxy.telemetry.access import Access, AccessLog, Detail
from s3proxy.telemetry.audit import AuditLog
from s3proxy.telemetry.context import current_client, current_request
from s3proxy.telemetry.events import Format, announce_ready, log_error, log_info, recent_errors, set_manner
from s3proxy.telemetry.lines import LogFile

__all__ = [
    "Access",
    "AccessLog",
    "AuditLog",
    "Detail",
    "Format",
    "LogFile",
    "announce_ready",
    "current_client",
    "current_request",
    "log_error",
    "log_info",
    "recent_errors",
    "set_manner",
]
