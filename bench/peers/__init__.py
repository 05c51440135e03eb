"""The servers side by side: one file for each family, which holds how each is configured, and why that is fair.

What holds for all: a server is pinned to the cores that the run gives it, and programs that count cores (Go, the JVM)
see that many; where a number of workers or threads can be said, it is one. No access log, keep-alive without end, and
in a cache the same sizes, nothing revalidated, nothing stored twice.
"""
