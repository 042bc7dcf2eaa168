"""The regressions, a family a file; what they share is in `glm`, penalties of coefficients are in `penalties`."""
