"""What the node says about itself: events, the access log and the audit log; and whom it is working for."""

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
