"""Engines: map a function over the blocks of a data set and hand the results back in order. Model code never knows which."""
