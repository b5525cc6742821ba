"""``python -m lmtune``: the command line of :mod:`lmtune.cli.main`."""

import sys

from lmtune.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
