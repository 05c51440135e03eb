"""Sends one response: head, framing and body; and closes the body whatever happens.

A body is never padded and never cut unnoticed: when it ends before its length, or breaks, the exception that leaves
here makes the connection close short.
"""

import time
from collections.abc import AsyncIterator
from types import AsyncGeneratorType

import trio

from s3proxy.body import Body, BrokenBodyError, Chunk, FileSlice
from s3proxy.http1.messages import Response, Sent
from s3proxy.http1.request_head import RequestHead
from s3proxy.http1.response_head import render_head
from s3proxy.http1.transfer import Transport

CLOSE_SECONDS = 10.0
"""For a body to free what it holds, though the task around it may be cancelled already."""


async def send_response(
    transport: Transport, response: Response, request: RequestHead, *, keep_alive: bool, yields: bool = False
) -> None:
    """Send ``response``, close its body and report to its ``on_sent``.

    Args:
        transport: where to.
        response: head and body.
        request: what it answers.
        keep_alive: whether another request may follow; the client is told if not.
        yields: whether other tasks have their turn first. When many are served at once, their answers then go out one
            right after the other, and a client that sleeps is woken once for several: up to a third of the CPU of a
            small request less.

    Raises:
        ConnectionLostError: the client has gone or stalled.
        UnsendableHeaderError: a header is malformed; nothing was sent.
        BrokenBodyError: the body was shorter or longer than its length.
        Exception: whatever the body raised.
    """
    body = response.body
    start = transport.sent_bytes
    is_complete = False
    carries_body = request.method != b"HEAD" and response.status not in (204, 304)  # RFC 9112 section 6.3
    try:
        if yields:
            await trio.lowlevel.checkpoint()
        framing = _frame(response, is_http10=request.is_http10, carries_body=carries_body, keep_alive=keep_alive)
        head = render_head(response.status, response.headers, framing)
        start += len(head)
        if not carries_body:
            response.begun_at = time.monotonic()
            await transport.send(head)
        elif isinstance(body, bytes):
            response.begun_at = time.monotonic()
            await transport.send(head, body)
        else:
            await _send_body(transport, head, response, body, is_http10=request.is_http10)
        is_complete = True
    finally:
        try:
            if not isinstance(body, bytes):
                if body.closes_at_once:  # nothing to shield, and a scope takes 5 us
                    await body.aclose()
                else:
                    await _close(body)
        finally:
            on_sent, response.on_sent = response.on_sent, None  # a ring of references would wait for the collector
            if on_sent is not None:
                on_sent(Sent(body_bytes=max(0, transport.sent_bytes - start), is_complete=is_complete))


async def _close(body: Body) -> None:
    with trio.CancelScope(deadline=trio.current_time() + CLOSE_SECONDS, shield=True):
        await body.aclose()


def _frame(response: Response, *, is_http10: bool, carries_body: bool, keep_alive: bool) -> bytes:
    framing = b"" if keep_alive else b"Connection: close\r\n"
    length = len(response.body) if isinstance(response.body, bytes) else response.body.length
    if not carries_body:
        length = _length_without_body(response, length)
    if length is not None:
        return b"Content-Length: %d\r\n%s" % (length, framing)
    if carries_body and not is_http10:
        return b"Transfer-Encoding: chunked\r\n" + framing
    return framing


def _length_without_body(response: Response, length: int | None) -> int | None:
    """The Content-Length that is announced all the same, or None to send none (RFC 9110 section 8.6)."""
    if response.status == 204:
        return None
    return response.content_length if response.content_length is not None else length or None


async def _send_body(transport: Transport, head: bytes, response: Response, body: Body, *, is_http10: bool) -> None:
    chunks = aiter(body)
    try:
        if body.length is None and not is_http10:
            await _send_chunked(transport, head, response, chunks)
        else:
            await _send_plain(transport, head, response, chunks, body.length)
    finally:
        if isinstance(chunks, AsyncGeneratorType):  # which only who iterates over it can close
            await chunks.aclose()


async def _send_plain(
    transport: Transport, prefix: bytes, response: Response, chunks: AsyncIterator[Chunk], length: int | None
) -> None:
    """Send the chunks as they are, the first together with the head. Without a length, closing ends them."""
    sent = 0
    async for chunk in chunks:
        if not sent:
            response.begun_at = time.monotonic()
        sent += _size(chunk)
        if length is not None and sent > length:
            raise BrokenBodyError(f"more than the {length} bytes that were announced")
        await _send_chunk(transport, prefix, chunk)
        prefix = b""
    if length is not None and sent < length:
        raise BrokenBodyError(f"{sent} of the {length} bytes that were announced")
    if prefix:
        await transport.send(prefix)


async def _send_chunked(transport: Transport, prefix: bytes, response: Response, chunks: AsyncIterator[Chunk]) -> None:
    """Send in chunked transfer coding (RFC 9112 section 7.1); the CRLF after a chunk goes out with what follows."""
    async for chunk in chunks:
        if response.begun_at is None:
            response.begun_at = time.monotonic()
        await _send_chunk(transport, b"%s%x\r\n" % (prefix, _size(chunk)), chunk)
        prefix = b"\r\n"
    await transport.send(prefix + b"0\r\n\r\n")


async def _send_chunk(transport: Transport, prefix: bytes, chunk: Chunk) -> None:
    if not isinstance(chunk, FileSlice):
        await transport.send(prefix, chunk)
        return
    sent = await transport.send_file(prefix, chunk)
    if sent < chunk.length:
        raise BrokenBodyError(f"the file ended {chunk.length - sent} bytes early")


def _size(chunk: Chunk) -> int:
    size = chunk.length if isinstance(chunk, FileSlice) else len(chunk)
    assert size > 0, "an empty chunk"  # it would end a chunked body
    return size
