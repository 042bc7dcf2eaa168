"""Import paths that users of DMLearn know: re-exports only."""
