"""The bench: servers side by side under the same load on the same files, in one run. ``python -m bench --help``.

One file per subject: ``targets`` starts servers, ``load`` drives them, ``measure`` reads what the kernel knows of them,
``samples`` condenses and ``report`` shows; each file of ``workloads`` is one kind of work. A figure here is worth
something only beside another of the same run: trust the ratios.
"""


class BenchError(Exception):
    """Something that makes a figure worthless: a wrong response, a server that died, a file that is missing."""
