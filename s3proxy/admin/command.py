"""What a command is, and what the commands have in common."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

import trio

from s3proxy.admin.caches import Caches
from s3proxy.admin.messages import CacheRequest, Message, Progress
from s3proxy.s3.model import ListedObject

_PROGRESS_SECONDS = 0.5
_BATCH = 64

_T = TypeVar("_T")


class CommandError(Exception):
    """A command, or its work on one object, cannot be done; the message is a sentence for who gave the command."""


class Emit(Protocol):
    """Sends messages to the client, and waits while it does not take them."""

    async def __call__(self, *messages: Message) -> None:
        """Send each as a line."""
        ...


Command = Callable[[CacheRequest, Emit], Awaitable[None]]
"""Does the work and emits, a ``Result`` last. It is cancelled when the client goes away.

Raises CommandError.
"""


def needed_bucket(request: CacheRequest) -> str:
    """The bucket of a command that does not work on everything.

    Raises:
        CommandError: there is none.
    """
    if not request.bucket:
        raise CommandError("this command needs a bucket")
    return request.bucket


class Listing:
    """The keys of a bucket that start with a prefix, page by page."""

    def __init__(self, caches: Caches, bucket: str, prefix: str) -> None:
        self._caches = caches
        self._bucket = bucket
        self._prefix = prefix
        self._after: str | None = ""

    async def next_page(self) -> Sequence[ListedObject]:
        """The next keys; empty at the end.

        Raises:
            CommandError: the store does not list them.
        """
        if self._after is None:
            return ()
        page = await self._caches.list_objects(self._bucket, self._prefix, self._after)
        self._after = page.next_after if page.is_truncated else None
        return page.objects


async def report_while(work: Callable[[], Awaitable[None]], emit: Emit, progress: Callable[[], Progress]) -> None:
    """Do ``work`` and emit ``progress`` twice a second meanwhile, and once more at its end.

    Raises:
        CommandError: from ``work``.
    """
    refusal: CommandError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_report, emit, progress)
        try:
            await work()
        except CommandError as error:
            refusal = error  # raised below, where no nursery makes a group of it
        nursery.cancel_scope.cancel()
    await emit(progress())
    if refusal is not None:
        raise refusal


async def _report(emit: Emit, progress: Callable[[], Progress]) -> None:
    while True:
        await trio.sleep(_PROGRESS_SECONDS)
        await emit(progress())


async def next_batch(items: Iterator[_T]) -> list[_T]:
    """Up to 64 more of what a blocking iterator gives, taken in a thread; empty at its end."""
    return await trio.to_thread.run_sync(lambda: list(islice(items, _BATCH)))
