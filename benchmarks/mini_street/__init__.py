"""A small rendered street world that stands in for data sets no test machine can download."""
