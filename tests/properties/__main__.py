"""Long runs: `python -m tests.properties --examples 2000 --seed 1`. Further arguments are pytest's: `-k condition`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.properties.profile import EXAMPLES


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.properties", description="Properties of random models, seen for long.")
    parser.add_argument("--examples", type=int, default=2000, help="of each property (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other models (default: 0)")
    own, others = parser.parse_known_args()
    here = Path(__file__).resolve().parent
    command = [sys.executable, "-m", "pytest", "-q", f"--hypothesis-seed={own.seed}", str(here), *others]
    return subprocess.run(command, cwd=here.parents[1], env={**os.environ, EXAMPLES: str(own.examples)}).returncode


if __name__ == "__main__":
    sys.exit(main())
