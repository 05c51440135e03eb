"""The composition root: configuration in, a serving node out.

A *supervisor* that serves nobody starts the workers and the admin process by exec. They inherit its sockets, the shared
words (memfds) and the locks of the tiers' directories, read their *seat* from standard input and say ``ready``.

Files by subject:

* ``run.py``, ``commons.py``, ``listening.py``, ``tls.py``, ``systemd.py``: a node from start to end; what its processes
  share; listening sockets; the certificate; the service manager.
* ``supervisor.py``, ``posts.py``, ``process.py``, ``failures.py``: who keeps the processes, what they fill one after
  the other, one of them, what keeps a node from starting.
* ``seating.py``, ``pulse.py``, ``reporting.py``: what they tell each other: at the start, all the time, once a second.
* ``vigil.py``, ``absences.py``, ``reloading.py``: processes that hang, tiers and stores that are not there, what a
  reload may change.
* ``worker.py``, ``serve.py``, ``scheduling.py``, ``logs.py``: a worker, what it serves, the order of its tasks, its
  logs.
* ``stores.py``, ``far_store.py``, ``file_systems.py``, ``caching.py``: the stores and the cache of one process.
* ``admin_worker.py``, ``admin.py``, ``node_view.py``, ``storage_view.py``, ``cache_view.py``, ``names.py``: the admin
  process, and the node as it sees it.

Invariants:

* A replacement is ready before the one it replaces drains, so the port is never without an acceptor. For that each
  number has two rows in every shared table, used in turns (``Post.rows``).
* What is done once on a node, the sweep of a local store and the scrub of a cache, is done under a lock on the pulse.
  Eviction is any worker's, one at a time for each tier, under the lock of the tier.
* SIGUSR2 replaces all processes with the code that lies there now, SIGHUP with the configuration as it is now. What
  cannot be served is refused; what the processes share changes by a restart only; a release whose shared memory looks
  different is refused its seat.
* A worker that died 5 times in a row within 30 s of its start ends the node, once the others have drained. The admin
  process never does.
* Every event loop beats once a second. One that is silent for ``worker_timeout_seconds`` is asked where it is
  (SIGUSR1), killed and replaced. systemd's watchdog is fed while all of them beat.
* No process changes its tiers or stores. Where one is absent, it is looked for ever more rarely, up to once a minute;
  when it is there, another process that starts with everything takes over.
* Connections are shared evenly: each worker tells on the pulse how many it has. Who beats no more is not waited for.
* Tasks of a worker run in the order in which they could, not at random as trio has it.
"""
