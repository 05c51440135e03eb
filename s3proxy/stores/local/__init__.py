"""A store over a directory that file-system programs share.

Files by subject:

* ``store.py``: ``LocalStore``, the whole as an ``ObjectStore``; what goes to a thread, and what need not.
* ``keys.py``: the mapping of keys to paths, the document of record of what is escaped and how.
* ``syscalls.py``, ``tree.py``: openat2 beneath the bucket, never through a symbolic link; open, publish, remove, prune.
* ``packed_names.py``, ``windows.py``, ``listing.py``: sorted windows of directories; pages in byte order from anywhere.
* ``metadata.py``, ``records.py``: what is kept of an object, and where: in one extended attribute, in a hidden file
  where that is too small or absent.
* ``objects.py``, ``reading.py``: objects under the key's lock; one that is held open, and the bytes of a span.
* ``staging.py``, ``receiving.py``: temporaries; a body into a file while threads hash and write.
* ``copies.py``, ``copying.py``: CopyObject and UploadPartCopy; bytes by reflink or copy_file_range.
* ``uploads.py``, ``assembly.py``, ``completion.py``, ``upload_pages.py``: multipart uploads: kept, decided, completed,
  listed.
* ``buckets.py``: the directories of the root that have a bucket's name, and their records.
* ``layout.py``: what lies where below ``.s3proxy``. ``locks.py``: commit locks. ``sweeping.py``: leftovers.
  ``disk.py``: threads. ``failures.py``: errno to ``S3Error``.

Invariants:

* A write is visible whole or not at all: temporary, verify, fsync, rename, fsync of the directory, and only then 200.
* A record counts only while the file has the size and the mtime that it was written with; otherwise a file-system
  program changed the file, and its metadata are made from the file.
* Whatever decides about a key (conditions, publication, removal, tags) holds that key's ``flock``.
* Nothing waits for the disk in the event loop: opening uses ``RESOLVE_CACHED``, reading ``RWF_NOWAIT``, and whatever
  would wait goes to a thread.
* A path is resolved beneath the bucket's descriptor, and no symbolic link is ever followed.
"""
