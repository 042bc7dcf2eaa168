"""Where each system lives: peers in virtual environments of their own, made by pip on first use."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parent / ".envs"
PEERS = {
    "dmx": ["dmx-learn==1.1.1"],
    "mixle": ["mixle[numba]==0.8.2", "scikit-learn"],
    "hmmlearn": ["hmmlearn==0.3.3"],
}  # they pin numba versions that conflict


class Unavailable(Exception):
    """Why a system has no number."""


def python_of(system: str) -> str:
    """The python that has a system: this one, one named by the environment, or one of our own virtual environments."""
    if system == "dmlcore" or (system == "sklearn" and importlib.util.find_spec("sklearn")):
        return sys.executable
    home = "mixle" if system == "sklearn" else system
    named = os.environ.get(f"DMLCORE_BENCH_{home.upper()}")
    return named or installed(home)


def installed(home: str) -> str:
    """A virtual environment with a peer, made on first use."""
    folder = ENVIRONMENTS / home
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = " ".join(PEERS[home])
    if stamp.exists() and stamp.read_text() == wanted:
        return str(python)
    print(f"installing {wanted} into benchmarks/.envs/{home}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    base = suitable_python()
    if base == sys.executable:
        venv.create(folder, with_pip=True)
    else:
        subprocess.run([base, "-m", "venv", str(folder)], check=True)
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *PEERS[home]]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
        raise Unavailable(f"cannot be installed: {lines[-1][:120]}")
    stamp.write_text(wanted)
    return str(python)


def suitable_python() -> str:
    """A python that both peers support (3.11, 3.12), if there is one; else this one."""
    for name in ("python3.12", "python3.11"):
        found = shutil.which(name)
        if found and subprocess.run([found, "-c", "import ensurepip"], capture_output=True).returncode == 0:
            return found
    return sys.executable
