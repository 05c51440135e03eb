"""Whom this task works for, and for which of their requests; inherited by the tasks that it starts."""

from contextvars import ContextVar
from typing import Final

current_client: Final[ContextVar[str]] = ContextVar("current_client", default="")
"""Who sent the request. Empty for the node itself."""

current_request: Final[ContextVar[str]] = ContextVar("current_request", default="")
"""The id of the request. Empty for the node itself."""
