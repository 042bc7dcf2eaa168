"""What the regressions are made of: linear predictors, Fisher scoring from statistics that add, and parameters shared or held."""
