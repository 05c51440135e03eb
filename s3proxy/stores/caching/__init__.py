"""A cache in front of any object store: of what it said of objects and buckets, and of bytes (``s3proxy.cache``).

Files by subject:

* ``store.py``: ``CachingStore``, the whole as an ``ObjectStore``.
* ``metadata.py``: what the store said of objects and for how long that counts; the document of record of what readers
  see, and when.
* ``shared_metadata.py``: the table in which workers tell each other of it. ``turns.py``: one of them asks.
* ``opening.py``, ``reading.py``: an object from an entry or with one request; its bytes, from the version opened.
* ``writing.py``: what writes invalidate, and bodies that go into the cache on their way to the store.
* ``buckets.py``: what the store said of buckets.

Invariants:

* Through one node, whichever worker serves: read-after-write, read-after-delete and list-after-write. A change made
  straight at the store is seen at the latest ``metadata_ttl_seconds`` later.
* Stamps in shared words make it so: a write changes the word of its key before and after it commits, and an entry
  counts only while the word is what it was before the store was asked.
* An object that is not known is opened by the GET of its first bytes, whose headers are the metadata; one that is
  known and whose time is over by a HEAD. One worker asks, under a lock on the slot of the table; the others read its
  answer there, or ask themselves after 10 s.
* Each fetch is pinned by If-Match, so one response is of one version.
* Access is decided by what an entry says of the very version that is served. Listings are never cached.
"""
