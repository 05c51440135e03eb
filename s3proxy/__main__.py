"""``python -m s3proxy``."""

import sys

from s3proxy.cli import main

sys.exit(main())
