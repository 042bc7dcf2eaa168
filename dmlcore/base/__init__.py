"""The ground floor, which knows no model and no table: errors, domains of parameters, labels, numbers, random streams, threads."""
