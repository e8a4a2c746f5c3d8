"""Fitted models in files: numbers as safetensors, everything else as a JSON card; nothing is pickled."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import AuralignError, DataError
from ..inputs.arrays import sha256_of_array
from .given import Array
from .model import SCHEMA, Model

TENSORS, CARD = "weights.safetensors", "card.json"
# by tensor: the dims of its shape
SHAPES = {"coef": ("n_units", "n_targets"), **dict.fromkeys(("intercept", "alpha", "r2_dev"), ("n_targets",))}
MARKER = {"with", "kind", "feature", "parameters", "metadata"}
NEEDED = ("schema", "estimator", "features", "marker", "units", "targets", "data", "licence", "versions")


def save_model(model: Model, path: str | Path) -> Path:
    """Write a model into a folder (`weights.safetensors` and `card.json`), or into one file `<name>.safetensors`.

    Parameters
    ----------
    model : Model
        With weights. What has none (a kernel, a forest) can only be kept by pickling, which is not done: keep its data
        and options, and fit it again.
    path : str or Path
        Ends in `.safetensors`: one file, with the card in its header; else a folder, made if need be.

    Returns
    -------
    Path

    Raises
    ------
    DataError
        The model has no weights.
    AuralignError
        The file cannot be written.

    Examples
    --------
    >>> import auralign as au
    >>> features, responses = au.phantom()
    >>> model = au.fit(features, responses, layer="mean")
    >>> again = au.load_model(au.save_model(model, "my_model"))
    >>> bool((again.predict(features[0]) == model.predict(features[0])).all().all())
    True
    """
    from safetensors.numpy import save

    if not isinstance(model, Model):
        raise DataError(f"save_model: {type(model).__name__} is no model that `fit` or `load_model` gave.")
    if not model.is_linear:
        raise DataError(
            f"{model.card['estimator']['kind']}: this model has no weights, and nothing is pickled here, so that it "
            "cannot be saved. What can be saved are models with weights (ridge, lasso, elastic_net, pls, and linear "
            "regressors of scikit-learn); of others keep the data and the options, and fit them again."
        )
    path = Path(path)
    tensors = {
        "coef": np.ascontiguousarray(model.weights.to_numpy()),
        "intercept": model.intercept.to_numpy(),
        "alpha": model.alpha.to_numpy(),
        "r2_dev": model.r2_dev.to_numpy(),
    }
    card = _text({**model.card, "tensors": {name: sha256_of_array(values) for name, values in tensors.items()}})
    header = {"format": "auralign model", "schema": str(SCHEMA), "card_sha256": _sha256(card)}
    try:
        if path.suffix == ".safetensors":
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, save(tensors, {**header, "card": card}))
        else:
            path.mkdir(parents=True, exist_ok=True)
            _write(path / CARD, card.encode())
            _write(path / TENSORS, save(tensors, header))
    except OSError as error:
        raise AuralignError(f"{path}: the model cannot be written there ({error.strerror or error}).") from error
    return path


def load_model(path: str | Path) -> Model:
    """Read a model that `save_model` wrote.

    Parameters
    ----------
    path : str or Path
        What `save_model` returned: the folder, or the `.safetensors` file.

    Returns
    -------
    Model

    Raises
    ------
    DataError
        It is not there, not a model, of a later version, or not as it was written: numbers and card are compared with
        the checksums that were noted.
    """
    path = Path(path)
    file = path / TENSORS if path.is_dir() else path
    header, tensors = _read(file)
    if header.get("format") != "auralign model":
        raise DataError(f"{file}: these are safetensors, but of no model that auralign saved.")
    schema = header.get("schema", "")
    if not schema.isdecimal() or int(schema) > SCHEMA:
        raise DataError(
            f"{file}: the model is of a later version of auralign (schema {schema}; this one reads up to {SCHEMA}). "
            "Install a newer auralign."
        )
    in_folder = path.is_dir() or ("card" not in header and file.with_name(CARD).is_file())
    card = _card(header, file.parent if in_folder else None, file)
    tensors = {name: tensors[name] for name in SHAPES if name in tensors}
    _refuse_changed(card, tensors, file)
    targets = pd.Index(card["targets"], name="target")
    return Model(
        card={key: value for key, value in card.items() if key != "tensors"},
        alpha=pd.Series(tensors["alpha"], index=targets, name="alpha"),
        r2_dev=pd.Series(tensors["r2_dev"], index=targets, name="r2_dev"),
        _coef=tensors["coef"],
        _intercept=tensors["intercept"],
    )


def _read(file: Path) -> tuple[dict[str, str], dict[str, Array]]:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise DataError(f"{file}: there is no such file; a model is a folder with {TENSORS}, or one .safetensors file.")
    try:
        with safe_open(str(file), framework="numpy") as content:
            header = dict(content.metadata() or {})
            return header, {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118  no mapping
    except (OSError, SafetensorError) as error:
        raise DataError(f"{file}: not a file of safetensors that can be read: {error}.") from error


def _card(header: Mapping[str, str], folder: Path | None, file: Path) -> dict[str, Any]:
    where = file if folder is None else folder / CARD
    try:
        text = header.get("card", "") if folder is None else where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{where}: the card of the model cannot be read: {error}.") from error
    if _sha256(text) != header.get("card_sha256"):
        raise DataError(
            f"{where}: the card is not the one that was saved with the weights (its checksum differs). Get the model "
            "again from where it is from."
        )
    try:
        card = json.loads(text)
    except ValueError as error:
        raise DataError(f"{where}: the card is no JSON: {error}.") from error
    absent = [key for key in (*NEEDED, "tensors") if not isinstance(card, dict) or key not in card]
    if absent:
        raise DataError(f"{where}: the card lacks {absent[0]!r}.")
    _refuse_malformed(card, where)
    return dict(card)


def _refuse_malformed(card: Mapping[str, Any], where: Path) -> None:
    """Refuse a card whose parts are not of the form in which `fit` writes them."""
    features, targets, marker, units = (card[key] for key in ("features", "targets", "marker", "units"))
    features = features if isinstance(features, dict) else {}
    forms = {
        "estimator": isinstance(card["estimator"], dict) and "kind" in card["estimator"],
        "features": isinstance(features.get("n_units"), int)
        and isinstance(features.get("widths"), list)
        and not {"name", "layer", "layer_name"} - set(features),
        "targets": _are_names(targets),
        "units": units is None or (_are_names(units) and len(units) == features.get("n_units")),
        "marker": marker is None or (isinstance(marker, dict) and not MARKER - set(marker)),
        "data": isinstance(card["data"], dict) and "n_stimuli" in card["data"],
        "tensors": isinstance(card["tensors"], dict),
    }
    wrong = [key for key, is_right in forms.items() if not is_right]
    if wrong:
        raise DataError(f"{where}: {wrong[0]!r} of the card is not in the form in which models are saved.")


def _are_names(given: Any) -> bool:
    return isinstance(given, list) and all(isinstance(n, str) for n in given) and len(set(given)) == len(given)


def _refuse_changed(card: Mapping[str, Any], tensors: Mapping[str, Array], file: Path) -> None:
    """Compare the numbers with the card: which there are, their shapes, and their checksums."""
    sizes = {"n_units": int(card["features"]["n_units"]), "n_targets": len(card["targets"])}
    for name, dims in SHAPES.items():
        if name not in tensors:
            raise DataError(f"{file}: the model lacks {name!r}.")
        shape = tuple(sizes[dim] for dim in dims)
        if tensors[name].shape != shape or tensors[name].dtype != np.float64:
            raise DataError(
                f"{file}: {name!r} is {tensors[name].dtype} of shape {tensors[name].shape}, but the card says float64 "
                f"of {shape} ({' x '.join(dims)})."
            )
        if sha256_of_array(tensors[name]) != card["tensors"].get(name):
            raise DataError(
                f"{file}: {name!r} is not what was saved (its checksum differs from the card's). Get the model again "
                "from where it is from."
            )


def _text(card: Mapping[str, Any]) -> str:
    return json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there as a whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    os.replace(partial, path)
