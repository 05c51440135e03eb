"""Conditions of writes: judged here, and then put so that every store that knows any understands them.

What is there is looked at first, so that a condition that fails costs no body. The write then goes under the condition
that nothing has changed since: ``If-None-Match: *`` where nothing was, ``If-Match`` with the one ETag otherwise. Those
two forms of PutObject all stores of note know (Amazon's none but them, Ceph 16 the others wrongly).

Of other operations many stores ignore conditions and say nothing. A condition that is only looked at lets two writers
win, which is worse than none: where a store is not known to honour it, it is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

from s3proxy.s3 import conditions
from s3proxy.s3.errors import ErrorCode, S3Error
from s3proxy.s3.model import Bucket, Key, WriteConditions
from s3proxy.stores.s3.looking import Looking

Operation = Literal["PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"]
ConditionalWrites = Literal["none", "put", "all"]
"""What a store honours conditions of."""

_HONOURED: Final[dict[ConditionalWrites, frozenset[Operation]]] = {
    "none": frozenset(),
    "put": frozenset({"PutObject"}),
    "all": frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject"}),
}


class Conditional:
    """Judges the conditions of writes.

    Args:
        looking: at what is there.
        honoured: by the store.
    """

    def __init__(self, looking: Looking, honoured: ConditionalWrites) -> None:
        self._looking = looking
        self._honoured = _HONOURED[honoured]

    def require(self, operation: Operation) -> None:
        """Make sure that conditions of an operation are honoured.

        Raises:
            S3Error: NOT_IMPLEMENTED.
        """
        if operation not in self._honoured:
            raise S3Error(
                ErrorCode.NOT_IMPLEMENTED,
                f"The store of this bucket is not known to honour conditions of {operation}, and so they would protect "
                "nothing.",
            )

    async def pinned(self, operation: Operation, bucket: Bucket, key: Key, when: WriteConditions) -> WriteConditions:
        """Judge the conditions of what replaces an object: those under which nothing has changed since.

        Raises:
            S3Error: as ``require`` and ``conditions.check_write`` do.
        """
        if when.is_empty:
            return when
        self.require(operation)
        current = await self._looking.current(bucket, key)
        conditions.check_write(when, current)
        if current is None:
            return WriteConditions(if_none_match=conditions.ANY_ETAG)
        return WriteConditions(if_match=current.etag) if current.etag else when


@contextmanager
def told_apart(when: WriteConditions, pinned: WriteConditions) -> Iterator[None]:
    """Of a write that came too late, say whether the client's own condition failed: else it may try again.

    Raises:
        S3Error: CONDITIONAL_REQUEST_CONFLICT.
    """
    try:
        yield
    except S3Error as error:
        if error.code is ErrorCode.PRECONDITION_FAILED and pinned != when:
            raise S3Error(ErrorCode.CONDITIONAL_REQUEST_CONFLICT) from error
        raise
