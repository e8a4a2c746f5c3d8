"""Noise ceilings as blocks: computed once, found again by what made them, parts as the whole."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

import auralign as au
from auralign.config.models import Comparison
from auralign.inputs.arrays import store_array
from auralign.questions.block import NOT_IN_KEY, compute_block
from auralign.questions.encoding import ceiling_blocks
from auralign.questions.encoding.ceiling_blocks import CeilingBlock, ceiling_columns, ceiling_table, plan_ceilings
from auralign.report import write_report
from auralign.runs.compare import run_comparison
from auralign.runs.results import read_results
from auralign.scoring.ceiling_options import Ceiling

N, N_TARGETS = 24, 5
INTERVAL = ["noise_ceiling_low", "noise_ceiling_high"]


@pytest.fixture
def responses() -> np.ndarray:
    """Responses [stimulus, target, repetition], every one of them stable and noisy."""
    random = np.random.default_rng(0)
    return random.standard_normal((N, N_TARGETS, 1)) + random.standard_normal((N, N_TARGETS, 3))


@pytest.fixture
def run(responses, tmp_path):
    """Run a comparison of these responses with other settings; returns its tables and its provenance."""
    names = [f"s{number:02d}" for number in range(N)]
    features = pd.DataFrame(np.random.default_rng(1).standard_normal((N, 4)), columns=list("abcd"))
    features.assign(stimulus=names).to_csv(tmp_path / "x.tsv", sep="\t", index=False)

    def run_with(change: dict, y: np.ndarray = responses) -> tuple[dict[str, pd.DataFrame], dict]:
        parts = [pd.DataFrame(y[:, :, k], columns=list("pqrst")).assign(repetition=k) for k in range(y.shape[2])]
        table = pd.concat([part.assign(stimulus=names) for part in parts])
        table.to_csv(tmp_path / "y.tsv", sep="\t", index=False)
        settings = {
            "name": "c",
            "features": {"net": {"table": str(tmp_path / "x.tsv")}},
            "targets": {"kind": "table", "table": str(tmp_path / "y.tsv")},
            "splits": {"kind": "shuffle", "n_splits": 2, "train_size": 14, "test_size": 10, "allow_small_test": True},
            "estimators": {"ridge": {"kind": "ridge"}},
            "engine": "multitarget",
        }
        tables = run_comparison(Comparison.model_validate(settings | change), tmp_path / "out")
        return tables, json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))

    return run_with


def test_ceilings_are_computed_once_whatever_the_estimator(run, monkeypatch):
    first, provenance = run({})
    assert provenance["blocks"] == {"all": 2, "computed": 2}
    monkeypatch.setattr(CeilingBlock, "compute", lambda _: pytest.fail("ceilings were computed again"))
    second, provenance = run({"estimators": {"ridge": {"kind": "ridge", "cv": 3}}})
    assert provenance["blocks"] == {"all": 2, "computed": 1}
    columns = ["target", *ceiling_blocks.COLUMNS]
    pd.testing.assert_frame_equal(first["summary"][columns], second["summary"][columns])


def test_other_options_and_other_responses_are_computed_anew(run, responses):
    def computed(*arguments) -> int:
        return run(*arguments)[1]["blocks"]["computed"]

    assert computed({}) == 2
    assert computed({"ceiling": {"level": 0.9}}) == computed({"ceiling": {"n_draws": 0}}) == 1
    assert computed({"ceiling": {"interval": "bootstrap"}}) == 1
    assert computed({"ceiling": {"interval": "bootstrap", "seed": 1}}) == 1
    assert computed({}) == 0
    assert computed({}, responses + 1.0) == 2


def test_a_run_and_the_library_have_the_same_ceilings(run, responses):
    summary = run({})[0]["summary"].set_index("target")
    table = ceiling_table(responses, Ceiling()).set_index(pd.Index(list("pqrst")))
    pd.testing.assert_frame_equal(summary.loc[table.index, table.columns], table, check_names=False, rtol=1e-12)
    x = np.random.default_rng(1).standard_normal((N, 4))
    found = au.encode(x, responses, [(np.arange(14), np.arange(14, N))]).ceilings.to_dataframe()
    np.testing.assert_allclose(found.to_numpy(float), table.to_numpy(float), rtol=1e-12)


def test_without_draws_there_is_no_interval_and_reports_do_without(run, tmp_path):
    tables, _ = run({"ceiling": {"n_draws": 0}})
    assert "noise_ceiling" in tables["summary"] and not set(INTERVAL) & set(tables["summary"])
    measures = read_results(tmp_path / "out").measures()
    assert "noise_ceiling" in set(measures["measure"]) and not {"low", "high"} & set(measures)
    assert "noise_ceiling" in write_report([tmp_path / "out"], tmp_path / "r.html").read_text(encoding="utf-8")


def test_responses_of_one_repetition_have_no_ceiling(run, responses):
    tables, provenance = run({}, responses[:, :, :1])
    assert provenance["blocks"]["all"] == 1
    assert not set(ceiling_blocks.COLUMNS) & set(tables["summary"])


def test_the_mean_alone_is_scored_and_the_ceiling_is_still_of_all_repetitions(run):
    with_noise = run({})[0]["summary"][list(ceiling_blocks.COLUMNS)]
    tables, provenance = run({"noise_correction": "off"})
    assert provenance["blocks"]["computed"] == 1  # the scores: the ceilings are those of the first run
    pd.testing.assert_frame_equal(tables["summary"][list(ceiling_blocks.COLUMNS)], with_noise)


@pytest.mark.parametrize("options", [Ceiling(), Ceiling(n_draws=0), Ceiling(interval="bootstrap", n_draws=50)])
@pytest.mark.parametrize("missing", [False, True])
def test_parts_of_the_targets_are_as_the_whole(responses, options, missing, tmp_path, monkeypatch):
    if missing:
        responses[3, 1, 2] = np.nan  # one stimulus of one target lacks a repetition
        responses[:, 4, 0] = np.nan  # one target lacks a repetition of all
    stored = store_array(responses, tmp_path)
    monkeypatch.setattr(ceiling_blocks, "TARGETS_OF_BLOCK", 2)
    blocks = plan_ceilings(stored, options, tmp_path, tmp_path)
    assert [block.part for block in blocks] == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert [block.label for block in blocks][1] == "noise ceilings, targets 3 to 4 of 5"
    for block in blocks:
        compute_block(block)
    parts = pd.concat([block.need("ceilings") for block in blocks], ignore_index=True)
    whole = ceiling_table(responses, options)
    exact = options.interval == "jackknife" and not missing
    pd.testing.assert_frame_equal(parts, whole, check_exact=exact, **({} if exact else {"rtol": 1e-12}))


def test_every_field_of_a_block_is_in_its_key(responses, tmp_path):
    stored = store_array(responses, tmp_path)
    base = CeilingBlock(stored, slice(0, 2), Ceiling(), tmp_path, tmp_path, "ceilings")
    others = {
        "responses": store_array(responses + 1.0, tmp_path),
        "part": slice(2, 5),
        "options": Ceiling(level=0.9),
        "code": "other",
        "folder": tmp_path / "elsewhere",
        "scratch": tmp_path / "elsewhere",
        "label": "another name",
    }
    assert set(others) == {field.name for field in dataclasses.fields(CeilingBlock)}
    for name, value in others.items():
        assert (dataclasses.replace(base, **{name: value}).key == base.key) == (name in NOT_IN_KEY), name


def test_columns_are_those_of_the_options():
    assert ceiling_columns(Ceiling()) == tuple(ceiling_blocks.COLUMNS)
    assert ceiling_columns(Ceiling(n_draws=0)) == ("noise_ceiling", "n_repetitions")
