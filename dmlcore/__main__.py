"""`python -m dmlcore`: the command line."""

import sys

from dmlcore.cli import main

if __name__ == "__main__":
    sys.exit(main())
