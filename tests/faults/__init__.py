"""A relay between the proxy and its store that shapes the link and misbehaves on demand.

``link`` delays and paces, ``heads`` and ``body`` read HTTP/1.1 as far as needed (both neighbours are well-behaved),
``rules`` says which request meets which fault, ``tally`` counts what the store saw, ``connection`` and ``relay`` put
them together, and ``process`` runs it beside a program (``python -m tests.faults --listen PORT --to HOST:PORT``).
"""
