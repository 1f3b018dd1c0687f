"""``python -m mrnet_core VERB``."""

import sys

from mrnet_core.cli import main

sys.exit(main())
