"""`python -m butf`."""

import sys

from butf.cli import main

if __name__ == "__main__":
    sys.exit(main())
