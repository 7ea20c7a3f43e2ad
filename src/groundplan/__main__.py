"""`python -m groundplan` is the command line."""

from __future__ import annotations

import sys

from groundplan.cli import main

sys.exit(main())
