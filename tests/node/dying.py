"""A worker that dies before it is ready."""

import sys

sys.exit(7)
