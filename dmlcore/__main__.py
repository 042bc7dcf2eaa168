"""`python -m dmlcore`: the command line."""

import sys

from dmlcore.cli import run_command

if __name__ == "__main__":
    sys.exit(run_command())
