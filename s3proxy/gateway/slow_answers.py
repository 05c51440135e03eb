"""Answers to operations that may take minutes: white space keeps the connection alive until the document is there.

Completing an upload and copying can outlast every client's and balancer's read timeout. As AWS does, the answer then
begins with status 200 before the outcome is known; a failure arrives as an ``Error`` document in the body, which SDKs
look for.

Source: S3 API, CompleteMultipartUpload ("Amazon S3 periodically sends white space characters") and CopyObject.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import trio

from s3proxy.body import Body
from s3proxy.http1.messages import Response

PATIENCE_SECONDS = 5.0
"""How long the status is held back so that it can tell the truth; most answers come sooner."""
INTERVAL_SECONDS = 10.0
"""Between two spaces; the shortest read timeout among SDKs and balancers is 30 s."""

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class _Job:
    """Work that goes on whether or not somebody still waits for it, and the response that came of it."""

    def __init__(self) -> None:
        self.finished = trio.Event()
        self.response: Response | None = None

    async def run(self, work: Callable[[], Awaitable[Response]]) -> None:
        try:
            self.response = await work()
        finally:
            self.finished.set()


class _AwaitedDocument(Body):
    """The XML declaration at once, a space now and then, and in the end the job's document without its declaration."""

    length: int | None = None

    def __init__(self, job: _Job) -> None:
        self._job = job

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield _DECLARATION
        while not self._job.finished.is_set():
            with trio.move_on_after(INTERVAL_SECONDS):
                await self._job.finished.wait()
            if not self._job.finished.is_set():
                yield b" "
        if self._job.response is None:
            raise trio.BrokenResourceError("the operation was cancelled")
        document = self._job.response.body
        assert isinstance(document, bytes)
        yield document.removeprefix(_DECLARATION)

    async def aclose(self) -> None:
        """Leave the job alone: what it does is wanted whoever listens."""


async def answer_in_time(jobs: trio.Nursery, work: Callable[[], Awaitable[Response]]) -> Response:
    """Run ``work`` in ``jobs`` and answer with its response, or with a response that waits for it.

    Args:
        jobs: owns the work from here on; a client that goes away does not end it.
        work: gives a response whose body is bytes, also for errors; it raises nothing but Cancelled.
    """
    job = _Job()
    jobs.start_soon(job.run, work)
    with trio.move_on_after(PATIENCE_SECONDS):
        await job.finished.wait()
    if job.response is not None:
        return job.response
    if job.finished.is_set():
        await trio.lowlevel.checkpoint_if_cancelled()
        raise trio.BrokenResourceError("the operation was cancelled")
    return Response(200, [(b"content-type", b"application/xml")], body=_AwaitedDocument(job))
