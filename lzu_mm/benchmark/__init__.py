"""Accuracy and speed: results of runs, their tables and pictures, times of the stages."""
