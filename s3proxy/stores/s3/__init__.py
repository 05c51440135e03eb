"""An object store that is any S3: Amazon's, Ceph's, MinIO's, another node of this gateway.

What is said on the wire is made and read in ``s3.client``, without I/O. Files by subject:

* ``store.py``: ``S3Store``, the whole as an ``ObjectStore``.
* ``endpoint.py``, ``credentials.py``, ``connections.py``: where the store is, who signs, the HTTP clients.
* ``exchange.py``: one request and its answer: signed, sent, repeated where that is safe, refusals translated.
* ``looking.py``, ``reading.py``: what is known of objects without their bytes; an object opened.
* ``writing.py``, ``uploading.py``, ``conditional.py``, ``copies.py``, ``multipart.py``: changes of single objects,
  bodies on their way, conditions, copies, multipart uploads.
* ``buckets.py``: buckets, and what is kept of them in a hidden tag.

Invariants:

* What S3 has no place for is kept there in hidden form (``s3.client.hidden``): an object's canned ACL as metadata, a
  bucket's owner and ACL in a bucket tag. Buckets made elsewhere belong to every user.
* The store never commits what the client did not mean: the last byte of an upload is held back until everything was
  verified.
* A request is repeated, with backoff, while nothing was given out, and where doing it twice is the same or the store
  did nothing.
* Each worker sends so many requests at once (``stores.fairness.FairLimiter``: its share of ``max_store_requests``, for
  each store), whatever they are for. Clients take turns, and the wait for one takes nothing of the time that the store
  has for its answer.
* Nothing that the store says is trusted: sizes, ranges, order and prefixes of listings are checked, and redirects are
  not followed.
"""
