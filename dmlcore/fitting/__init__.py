"""Fitting: the EM loop (`fit`), the problem it works on, when it stops, and the drivers users call."""
