"""Reading the reference results of R (tests/reference) and comparing with their tolerances."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
ORACLE = Path(os.environ.get("MRNET_TEST_ORACLE", Path(__file__).resolve().parents[3] / "shared" / "oracle"))


def inputs(name):
    """Input table, text kept as text in every column that is not numbers."""
    return pd.read_csv(REFERENCE / "inputs" / f"{name}.csv")


def expected(name, folder=REFERENCE):
    """Expected table; NA and NaN are both NaN, missing text is empty."""
    return pd.read_csv(folder / "expected" / f"{name}.csv")


def van_dyke(name):
    """A table of the Van Dyke data, which may not be copied into the tree."""
    path = ORACLE / name
    if not path.exists():
        pytest.skip(f"{path.name} of the R results is not here (set MRNET_TEST_ORACLE)")
    return pd.read_csv(path)


def same(got, want, what=""):
    """Equal to 1e-10 of the value (variances are small), NaN where R has NaN or NA; what is 0 in R to rounding."""
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-13, equal_nan=True, err_msg=str(what))


def same_p(got, want, what=""):
    """p-values: equal to 1e-8 relative, with the absolute floor of R's 1 - cdf()."""
    np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-16, equal_nan=True, err_msg=str(what))
