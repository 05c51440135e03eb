"""The block cache: ranges of immutable object versions in files of a memory tier and a disk tier, shared by workers.

An object version is cut into *blocks* (4 MiB), a block into *units* (64 KiB), the granule in which it is filled. A
block is a file, sparse as long as units are missing. A unit is written once and never changed.

Files by subject:

* ``blocks.py``, ``block_layout.py``: names, a hash of store, bucket, key, validator, size and index; what a file looks
  like: header with identity, an entry for each unit, data at a page boundary.
* ``block_file.py``, ``claims.py``, ``unit_writer.py``, ``range_locks.py``, ``atimes.py``: an open block: what is there,
  verifying, writing under an OFD byte-range lock; when it was used.
* ``tier.py``, ``tier_directory.py``, ``usage.py``, ``shared.py``, ``counters.py``: a directory of blocks and its size;
  64-bit words that all workers share, and what they count in them.
* ``plan.py``: what to fetch for a read, pure: units or blocks, how far ahead of a run.
* ``demanding.py``, ``filling.py``, ``following.py``, ``source.py``: one fetch over adjacent blocks; readers here follow
  its bytes, other processes its units.
* ``early_bytes.py``: what came along with an answer, given out before there are blocks for it.
* ``direct.py``: reads past the cache, piece by piece and each no larger than a fill.
* ``cache.py``, ``reading.py``, ``shelf.py``, ``open_blocks.py``: the cache of one worker; the body of a span; finding
  blocks without waiting.
* ``policy.py``, ``ghosts.py``, ``eviction.py``: the order of eviction, LRU or S3-FIFO, kept in the access times of the
  files; what went of late; one evictor for each tier and node.
* ``pins.py``, ``presence.py``: what is never evicted; what is where, and removing it, for the commands.
* ``upkeep.py``, ``copying.py``, ``scrub.py``: what goes on behind the reads, demotion and promotion, slow verification.
* ``failures.py``: what goes wrong with tiers.

Invariants:

* A unit counts when its entry is valid, and an entry is written after its bytes: kill -9 leaves a unit that is there or
  one that is missing. An entry is the CRC32C of the unit, seeded with the block's identity.
* Blocks and pins carry the identity of their store: its name in the configuration and its address. Another store of the
  same name finds neither.
* Bytes are given out only when this process verified them since the file's size and mtime last changed.
* Whoever fetches holds the kernel's lock on the bytes of the block. A lock that can be had on missing units means that
  the filler died, and whoever gets it goes on. A filler that is stopped or hangs keeps its lock: after 30 s without a
  write to the block others read from the source.
* What a worker allocates and frees it counts in words of its own; the sum is the tier's size, and a count of the disk
  corrects it.
* Nothing here queues for the source: it lets through so many requests at once, fills and direct reads alike, and
  clients take turns there (``stores/fairness.py``).
* Any failure of a tier ends in a read straight from the source, counted, never in an error.

``python -m tests.campaigns.killed_steps`` kills and stops workers at every step of all this.
"""
