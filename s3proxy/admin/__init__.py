"""The admin plane: what an operator asks of a running node, on sockets of its own and never on the data port.

It runs in a process of its own with stores and tiers as a worker has, so that it sees what clients see; the data path
never waits for it. ``node/admin.py`` composes it. Files by subject:

* ``routes.py``: the table of all paths. ``app.py``: the only one that knows ASGI. ``answers.py``: questions and
  answers.
* ``guard.py``: who may ask: token, Host against DNS rebinding, Origin and Sec-Fetch-Site against foreign pages.
* ``server.py``, ``unix_socket.py``, ``socket_paths.py``: listeners and their bounds; the socket of the operator.
* ``node_status.py``, ``history.py``, ``kept_points.py``: ``/status`` and the last hour, pure, of what
  ``s3proxy.metrics`` counted; the points of that hour, in a memfd that outlives the process.
* ``readiness.py``: probes of the stores (a bucket that is not there, every 2 s, 3 s to answer); why a node is not
  ready.
* ``reload_progress.py``: how a reload goes, on a board that the supervisor writes and ``s3proxy reload`` waits for.
* ``browsing.py``, ``survey.py``, ``store_reads.py``: pages of objects with what is cached of them; what fills a tier,
  from 2,000 block headers; what is asked of stores for all that.
* ``cache_commands.py``, ``command.py``, ``caches.py``, ``messages.py``: the commands of ``s3proxy cache``, what they
  have in common, what they need of the caches, what they say.
* ``status.py``, ``load.py``, ``fetch_spans.py``, ``free.py``, ``pins.py``, ``verify.py``: each of them.
* ``dashboard/``: the page.

Invariants:

* Commands on a port are taken only with the token. On the Unix socket the permissions of the file decide.
* What clients hold is bounded: 64 connections per listener, 15 s for a head, 20 s for a reader to take a piece, 8 s for
  an answer. Listeners bound each other in nothing, so a flooded port leaves the Unix socket to the operator.
* ``load`` reads as a client does, without prefetch, and looks afterwards whether a tier has kept the bytes.
* Names of blocks are hashes, so the first 2,000 in order are a fair sample of a tier.
"""
