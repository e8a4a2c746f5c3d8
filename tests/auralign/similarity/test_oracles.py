"""Measures against rsatoolbox and dimensionality, whose numbers `oracles/make.py` has written down."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from auralign.similarity.comparisons import METHODS, compare
from auralign.similarity.dimensionality import participation_ratio
from auralign.similarity.dissimilarities import crossnobis, dissimilarities
from auralign.similarity.noise import noise_precision

FOLDER = Path(__file__).parent / "oracles"


@pytest.fixture(scope="module")
def drawn() -> dict:
    spec = importlib.util.spec_from_file_location("cases", FOLDER / "cases.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cases()


@pytest.fixture(scope="module")
def known() -> dict:
    return json.loads((FOLDER / "oracles.json").read_text())


@pytest.mark.parametrize("kind", ["correlation", "euclidean"])
def test_dissimilarities(drawn, known, kind):
    for x, expected in zip(drawn["representations"], known[kind], strict=True):
        np.testing.assert_allclose(dissimilarities(x, kind), expected, atol=1e-13)


def test_crossnobis_with_and_without_noise_normalisation(drawn, known):
    """Six units and twenty-one residuals, and forty units of which the residuals span six directions."""
    expected = iter(known["crossnobis"])
    for y in drawn["repetitions"]:
        np.testing.assert_allclose(crossnobis(y), next(expected), atol=1e-11)
        np.testing.assert_allclose(crossnobis(y, noise_precision(y)), next(expected), atol=1e-11)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["rdms", "tied_rdms"])
def test_comparisons(drawn, known, name, method):
    np.testing.assert_allclose(compare(*drawn[name], method), known[name][method], atol=1e-12)


@pytest.mark.parametrize("estimator", ["naive", "rows", "both"])
def test_dimensionality(drawn, known, estimator):
    for x, expected in zip(drawn["populations"], known["dimensionality"], strict=True):
        assert participation_ratio(x, estimator) == pytest.approx(expected[estimator], rel=1e-9)
