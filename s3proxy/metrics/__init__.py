"""What the processes of a node count: words that they share, reports in words, and their text for Prometheus.

Files by subject:

* ``meters.py``, ``histograms.py``: rows of 64-bit words in shared memory, one for each process; durations in buckets.
* ``names.py``: operations and stores by number, from a table beside the rows, so that no process need know them before.
* ``work.py``: requests, for their latency, first byte, status, bytes and source; counted 128 at a time or once a
  second.
* ``activity.py``, ``busiest.py``: the slowest requests of an hour, the latest errors, the busiest objects
  (Space-Saving).
* ``reports.py``: the board on which each process replaces its report, in words, once a second.
* ``processes.py``: what the kernel says of a process. ``exposition.py``: the text for Prometheus.

Invariants:

* Only its event loop writes a process's row, so counting takes no lock, and whoever reads adds up unnoticed.
* What a dead process counted stays in the sums, its gauges do not. One that follows it goes on from its last words.
* All that is remembered is bounded, and no label is a bucket, a key or a user.
* Nothing of a request's query is told: its signature is as good as a key while it lasts.

The cache counts in words of its own (``s3proxy/cache/counters.py``).
"""
