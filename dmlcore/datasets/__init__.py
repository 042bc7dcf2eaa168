"""Small data sets for examples and tests; sources and licences are in README.md beside this file."""

from dmlcore.datasets.penguins import Penguins, load_penguins

__all__ = ["Penguins", "load_penguins"]
