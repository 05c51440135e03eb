"""The admin process, which a supervisor starts as it does workers (worker.py)."""

import sys

from s3proxy.node.admin import serve_admin_plane
from s3proxy.node.worker import main

if __name__ == "__main__":
    sys.exit(main(serve_admin_plane))
