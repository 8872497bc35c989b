"""For `pip install -e .` with a pip older than PEP 660; everything else is in pyproject.toml."""

from setuptools import setup

setup()
