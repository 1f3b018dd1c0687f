"""The examples in the docstrings of the statistics hold."""

import doctest
import importlib
import pkgutil

import mrnet_core.stats


def test_examples_in_docstrings_hold():
    names = [module.name for module in pkgutil.iter_modules(mrnet_core.stats.__path__)]
    results = [doctest.testmod(importlib.import_module(f"mrnet_core.stats.{name}")) for name in names]
    assert sum(result.attempted for result in results) >= 4
    assert sum(result.failed for result in results) == 0
