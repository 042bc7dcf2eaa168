"""Gaps of a table filled without a model of one's own: by draws from a mixture that is made for its columns."""
