"""Results of runs, and their tables and pictures."""
