"""fit, save and load: the numbers of scikit-learn, nothing pickled, and sounds predicted as before."""

import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import Lasso, Ridge, RidgeCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import auralign as au
from auralign.errors import ConfigError, DataError
from auralign.inputs.published.components import read_components
from auralign.phantom.acoustics import band_energies

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 6)) * 2.0 ** np.arange(6) + 3
Y = X[:, :2] @ rng.standard_normal((2, 3)) + 0.5 * rng.standard_normal((40, 3)) + 1
NAMES = [f"unit{number}" for number in range(6)]
FRAME = pd.DataFrame(X, columns=NAMES, index=pd.Index([f"s{n:02d}" for n in range(40)], name="stimulus"))
ALPHAS = np.logspace(-3, 4, 8)

# a junifer marker in a file of its own: the mean, and the standard deviation of a sound, times a gain
MARKER = """
import soundfile
from junifer.api.decorators import register_marker
from junifer.markers import BaseMarker


@register_marker
class Loudness{number}(BaseMarker):
    _MARKER_INOUT_MAPPINGS = {{"Audio": {{"layer00": "vector"}}}}

    def __init__(self, gain=1.0, on=None, name=None):
        self.gain = gain
        super().__init__(on=["Audio"], name=name)

    def compute(self, input, extra_input=None):
        wave, _ = soundfile.read(input["path"])
        return {{"layer00": {{"data": [self.gain * wave.mean(), self.gain * wave.std()]}}}}
"""


@pytest.mark.parametrize("zscore", [False, True])
def test_weights_and_predictions_are_those_of_scikit_learn(zscore):
    model = au.fit(FRAME, Y, {"kind": "ridge", "alphas": list(ALPHAS), "unpredictable": "published"}, zscore=zscore)
    scale = X.std(axis=0) if zscore else np.ones(6)
    theirs = RidgeCV(ALPHAS, alpha_per_target=True).fit(X / scale, Y)
    np.testing.assert_allclose(model.alpha, theirs.alpha_)
    expected = theirs.coef_.T / scale[:, None]
    assert (np.abs(model.weights.to_numpy() - expected) < 1e-8 * np.abs(expected).max(axis=0)).all()
    np.testing.assert_allclose(model.intercept, theirs.intercept_, atol=1e-8 * np.abs(Y).max())
    np.testing.assert_allclose(model.predict(FRAME).to_numpy(), theirs.predict(X / scale), atol=1e-8 * Y.std())
    assert list(model.weights.index) == NAMES and list(model.weights.columns) == ["target0", "target1", "target2"]


def _close(model: au.Model, x: np.ndarray, y: np.ndarray) -> None:
    """The model is scikit-learn's at the same alpha, to 1e-8 of the spread of weights and responses."""
    for target, name in enumerate(model.targets):
        theirs = Ridge(model.alpha[name], solver="svd").fit(x, y[:, target])
        weights, predicted = model.weights[name].to_numpy(), model.predict(x)[name].to_numpy()
        assert np.abs(weights - theirs.coef_).max() < 1e-8 * np.abs(theirs.coef_).max()
        assert np.abs(predicted - theirs.predict(x)).max() < 1e-8 * y[:, target].std()


def test_the_built_in_study_is_fitted_as_scikit_learn_fits_it():
    features, responses = au.phantom()
    kept = responses.sel(target=[t for t in responses.target.values if t != "music"])  # music is the mean: alpha inf
    model = au.fit(features, kept, layer="mean_sd")
    _close(model, features[1].to_numpy(), kept.to_numpy())
    lasso = au.fit(features[0], kept, {"kind": "lasso", "n_alphas": 20})
    x, y = features[0].to_numpy(), kept.to_numpy()
    for target, name in enumerate(lasso.targets):
        theirs = Lasso(lasso.alpha[name], tol=1e-12, max_iter=100_000).fit(x, y[:, target])
        np.testing.assert_allclose(lasso.weights[name], theirs.coef_, atol=1e-7 * np.abs(theirs.coef_).max())


def test_the_real_components_are_fitted_as_scikit_learn_fits_them(root):
    folder = root.parent / "shared" / "data" / "natsound165"
    if not (folder / "components.mat").exists():
        pytest.skip("needs ../shared/data/natsound165, which is not distributed")
    responses = read_components(folder / "components.mat")
    sounds = [soundfile.read(folder / "wav" / f"{name}.wav", dtype="int16")[0] for name in responses.stimulus.values]
    energies = [band_energies(sound if sound.ndim == 1 else sound[:, 0])[0] for sound in sounds]
    x = np.stack([np.concatenate([energy.mean(axis=0), energy.std(axis=0)]) for energy in energies])
    model = au.fit(x, responses)
    assert len(model.targets) == 6 and np.isfinite(model.alpha).all()
    _close(model, x, responses.to_numpy()[:, :, 0])


@pytest.mark.parametrize("estimator", ["ridge", "lasso", "elastic_net", "pls", RidgeCV()], ids=str)
def test_a_loaded_model_predicts_the_same_to_the_last_bit(estimator, tmp_path):
    model = au.fit(FRAME, Y, estimator)
    again = au.load_model(au.save_model(model, tmp_path / "model"))
    assert au.load_model(tmp_path / "model" / "weights.safetensors").card == again.card
    pd.testing.assert_frame_equal(again.predict(FRAME), model.predict(FRAME), check_exact=True)
    alone = pd.concat([again.predict(FRAME.iloc[[row]]) for row in range(3)])
    pd.testing.assert_frame_equal(alone, model.predict(FRAME).iloc[:3], check_exact=True)


def test_a_saved_model_is_the_same_once_loaded(tmp_path):
    model = au.fit(FRAME, Y, splits=au.splits(40, n_splits=2), licence="CC0-1.0", notes="a test")
    for path in (tmp_path / "folder", tmp_path / "one.safetensors"):
        assert au.save_model(model, path) == path
        again = au.load_model(path)
        pd.testing.assert_frame_equal(again.weights, model.weights, check_exact=True)
        pd.testing.assert_frame_equal(again.predict(FRAME), model.predict(FRAME), check_exact=True)
        pd.testing.assert_series_equal(again.alpha, model.alpha, check_exact=True)
        assert again.card == json.loads(json.dumps(model.card))
    card = json.loads((tmp_path / "folder" / "card.json").read_text(encoding="utf-8"))
    assert card["licence"] == "CC0-1.0" and card["scores"]["n_splits"] == 2 and len(card["split"]) == 2
    assert card["data"]["n_stimuli"] == 40 and card["versions"]["auralign"] == au.__version__


def _card(folder, **changes):
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    (folder / "card.json").write_text(json.dumps({**card, **changes}, indent=2) + "\n", encoding="utf-8")


def _tensors(folder, change):
    from safetensors import safe_open

    with safe_open(str(folder / "weights.safetensors"), framework="numpy") as content:
        header = content.metadata()
    tensors = load_file(folder / "weights.safetensors")
    header = change(tensors, header) or header
    save_file(tensors, folder / "weights.safetensors", header)


DAMAGES = {
    "another card": (lambda f: _card(f, targets=["c", "b", "a"]), "not the one that was saved"),
    "no card": (lambda f: (f / "card.json").unlink(), "card.json: the card of the model cannot be read"),
    "other weights": (
        lambda f: _tensors(f, lambda t, h: t["coef"].__iadd__(1) is None),
        "'coef' is not what was saved",
    ),
    "other shape": (lambda f: _tensors(f, lambda t, h: t.update(coef=t["coef"][:3].copy())), r"shape \(3, 3\)"),
    "lacks alpha": (lambda f: _tensors(f, lambda t, h: t.pop("alpha") is None), "lacks 'alpha'"),
    "later version": (
        lambda f: _tensors(f, lambda t, h: {**h, "schema": "99"}),
        "later version of auralign .schema 99",
    ),
    "others' file": (lambda f: _tensors(f, lambda t, h: {"format": "pt"}), "no model that auralign saved"),
    "no safetensors": (lambda f: (f / "weights.safetensors").write_bytes(b"x" * 100), "cannot? be read|can be read"),
    "nothing": (lambda f: shutil.rmtree(f), "no such file"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_model_that_is_not_as_it_was_written_is_refused(damage, tmp_path):
    change, problem = DAMAGES[damage]
    folder = au.save_model(au.fit(FRAME, Y), tmp_path / "model")
    change(folder)
    with pytest.raises(DataError, match=problem):
        au.load_model(folder)


@pytest.mark.parametrize("estimator", [KNeighborsRegressor(), make_pipeline(StandardScaler(), Ridge())])
def test_a_model_without_weights_predicts_and_says_that_it_cannot_be_saved(estimator, tmp_path):
    model = au.fit(FRAME, Y, estimator)
    expected = np.column_stack([estimator.fit(X, y).predict(X) for y in Y.T])
    np.testing.assert_allclose(model.predict(X).to_numpy(), expected)
    with pytest.raises(DataError, match="has no weights"):
        _ = model.weights
    with pytest.raises(DataError, match="nothing is pickled"):
        au.save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "given, problem",
    [
        (X[:, :5], r"\(40, 5\) has 5 units, but the model was fitted to 6"),
        (FRAME[NAMES[::-1]], "another order"),
        (FRAME.rename(columns={"unit3": "x"}), "unit 'x' is not one of the fit"),
        (FRAME.where(FRAME.iloc[2, 2] != FRAME), "not finite for s02"),
        ("sound.wav", "no junifer marker is known"),
    ],
)
def test_other_units_than_those_of_the_fit_are_refused(given, problem):
    with pytest.raises(au.AuralignError, match=problem):
        au.fit(FRAME, Y).predict(given)


def test_one_layer_is_chosen_by_number_or_name():
    layers = {"first": FRAME, "second": FRAME * 2}
    assert au.fit(layers, Y, layer="second").card["features"]["layer"] == 0
    pd.testing.assert_frame_equal(au.fit(layers, Y, layer="second").weights, au.fit(FRAME * 2, Y).weights)
    for layer, problem in ((None, "give layer="), ("third", "no layer 'third'")):
        with pytest.raises(ConfigError, match=problem):
            au.fit(layers, Y, layer=layer)


def test_a_model_cannot_be_changed_by_what_it_gives_out(tmp_path):
    x, y = FRAME.to_xarray().to_dataarray("unit").T, pd.DataFrame(Y, index=FRAME.index)
    x.attrs["source"], y.attrs["source"] = tmp_path, {"array": np.arange(2)}  # whatever it is, the card holds text
    model = au.fit(x, y)
    before = model.predict(FRAME)
    model.weights.iloc[:] = 0.0
    model.intercept.iloc[:] = 0.0
    pd.testing.assert_frame_equal(model.predict(FRAME), before, check_exact=True)
    assert au.load_model(au.save_model(model, tmp_path / "m")).card["features"]["source"] == str(tmp_path)


def test_joined_sets_are_predicted_side_by_side():
    model = au.fit([FRAME[NAMES[:2]], FRAME[NAMES[2:]]], Y)
    found = model.predict([FRAME[NAMES[:2]], FRAME[NAMES[2:]]])
    np.testing.assert_allclose(found, X @ model.weights.to_numpy() + model.intercept.to_numpy())
    with pytest.raises(DataError, match="another order"):
        model.predict([FRAME[NAMES[:2]], FRAME[NAMES[2:]].iloc[::-1]])


@pytest.fixture
def sounds(tmp_path):
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"stim{number}_x.wav")
        soundfile.write(paths[-1], rng.uniform(-0.5, 0.5, 400) * (number + 1) / 12, 8000, subtype="FLOAT")
    return paths


def test_a_loaded_model_predicts_sounds_by_the_marker_of_its_card(sounds, tmp_path):
    (tmp_path / "loudness.py").write_text(MARKER.format(number=1))
    waves = [soundfile.read(path)[0] for path in sounds]
    x = pd.DataFrame(
        [[2 * wave.mean(), 2 * wave.std()] for wave in waves], index=pd.Index([p.stem for p in sounds], name="stimulus")
    )
    marker = {"with": str(tmp_path / "loudness.py"), "kind": "Loudness1", "gain": 2.0}
    model = au.fit(x, x[[1]].to_numpy() * 3 + 1, marker=marker)
    again = au.load_model(au.save_model(model, tmp_path / "model"))
    pd.testing.assert_frame_equal(again.predict(sounds), model.predict(x), check_exact=True, check_names=False)
    assert list(again.predict(str(sounds[3])).index) == ["stim3_x"]
    with pytest.raises(DataError, match="there is no such file"):
        again.predict([*sounds, tmp_path / "absent.wav"])


@pytest.mark.parametrize(
    "marker, problem",
    [
        ({"kind": "Loudness2", "with": "no_such_module"}, "'no_such_module', which brings the marker"),
        ({"kind": "NoSuchMarker", "with": []}, "not known to junifer"),
        ({"with": []}, "needs `kind`"),
        ("LogMel", "marker='LogMel' is no dict"),
    ],
)
def test_a_marker_that_is_not_here_is_named(marker, problem):
    with pytest.raises(ConfigError, match=problem):
        au.fit(FRAME, Y, marker=marker)


def test_a_marker_that_computes_something_else_is_refused(sounds, tmp_path):
    (tmp_path / "loudness.py").write_text(MARKER.format(number=3))
    x = rng.standard_normal((12, 2))
    marker = {"with": str(tmp_path / "loudness.py"), "kind": "Loudness3", "gain": 2.0}
    model = au.fit(x, x[:, :1] + 1, marker=marker)
    model.card["marker"]["metadata"]["version"] = "2"
    with pytest.raises(ConfigError, match="version was '2' and is None"):
        model.predict(sounds)


def test_features_of_a_storage_bring_their_marker_along(sounds, tmp_path):
    pytest.importorskip("torch")
    from custom_markers.acoustics.logmel import LogMel

    marker = LogMel(name="logmel", n_mels=8)
    paths = sounds[:4]
    for path in paths:
        soundfile.write(path, rng.uniform(-0.5, 0.5, 24000), 24000, subtype="FLOAT")
    values = np.stack([marker.compute({"path": path})["layer00"]["data"] for path in paths]).astype(float)
    features = pd.DataFrame(values, index=[path.stem for path in paths]).rename_axis("stimulus")
    model = au.fit(
        features,
        rng.standard_normal((4, 2)),
        {"kind": "ridge", "alphas": [1.0]},
        marker={"kind": "LogMel", "n_mels": 8},
    )
    again = au.load_model(au.save_model(model, tmp_path / "m.safetensors"))
    pd.testing.assert_frame_equal(again.predict(paths), model.predict(features), check_exact=True)
    assert again.card["marker"]["metadata"]["version"] == LogMel.VERSION


@pytest.mark.parametrize("name, content, problem", [
    ("junk.wav", b"junk" * 100, "not a sound file that can be read"),
    ("empty.wav", b"", "the file is empty"),
])  # fmt: skip
def test_a_sound_that_cannot_be_used_is_an_error_of_ours(name, content, problem, sounds, tmp_path):
    model = au.fit(rng.standard_normal((12, 128)), Y[:12], marker={"with": "custom_markers", "kind": "LogMel"})
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=problem) as caught:
        model.predict([*sounds, tmp_path / name])
    assert str(tmp_path / name) in str(caught.value) and "AURALIGN_ON_ERROR" not in str(caught.value)


def test_a_dict_of_layers_is_predicted_by_the_layer_of_the_fit():
    layers = {"first": FRAME, "second": FRAME[NAMES[::-1]] * 2}
    model = au.fit(layers, Y, layer="second")
    pd.testing.assert_frame_equal(model.predict(layers), model.predict(layers["second"]), check_exact=True)
    with pytest.raises(DataError, match="of the layers first, third 0 are called so"):
        model.predict({"first": FRAME, "third": FRAME})


def test_predictions_keep_the_numbers_of_rows():
    rows = pd.DataFrame(X, columns=NAMES).iloc[[30, 4]]
    found = au.fit(FRAME, Y).predict(rows)
    assert list(found.index) == [30, 4]
    np.testing.assert_array_equal(found, au.fit(FRAME, Y).predict(X[[30, 4]]))


@pytest.mark.parametrize("changes", [
    {"features": "net"}, {"features": {"n_units": 6}}, {"targets": 3}, {"targets": ["a", "a", "b"]},
    {"tensors": []}, {"estimator": "ridge"}, {"marker": {}}, {"units": ["a"]}, {"data": None},
])  # fmt: skip
def test_a_card_of_another_form_is_refused(changes, tmp_path):
    folder = au.save_model(au.fit(FRAME, Y), tmp_path / "model")
    _card(folder, **changes)
    checksum = hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    _tensors(folder, lambda tensors, header: {**header, "card_sha256": checksum})
    with pytest.raises(DataError, match=f"{next(iter(changes))!r} of the card is not in the form"):
        au.load_model(folder)


def test_what_is_no_model_is_not_saved(tmp_path):
    with pytest.raises(DataError, match="ndarray is no model"):
        au.save_model(X, tmp_path / "model")
