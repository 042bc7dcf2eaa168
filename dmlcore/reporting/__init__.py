"""Reports: a model and its data on one page of HTML that needs nothing else."""
