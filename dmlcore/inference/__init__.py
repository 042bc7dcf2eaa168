"""What a fitted model says: conditioning, marginals, divergence."""
