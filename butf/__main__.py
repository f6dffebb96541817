"""`python -m butf`."""

import os
import sys

from butf.cli import main

if __name__ == "__main__":
    # torch's threads wait for each other at every layer. Left to wait busily, a training that shares its processor
    # comes to a halt: with one of two cores taken, not ten steps in 48 s, and with this 60 % of its pace alone.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
