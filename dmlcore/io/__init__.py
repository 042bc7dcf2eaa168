"""Saving and loading models."""

from dmlcore.io.files import load, save
from dmlcore.io.json import from_json, to_json

__all__ = ["from_json", "load", "save", "to_json"]
