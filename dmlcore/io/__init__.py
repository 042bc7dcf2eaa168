"""Saving and loading models."""

from dmlcore.io.json import from_json, to_json

__all__ = ["from_json", "to_json"]
