"""The published networks: their layers in order, and what these are called in the archives (networks.tsv, layers.tsv).

`networks.tsv`: code name, published name, family, form of its files, input. `layers.tsv`: for every family the layers'
index, name, key in the files (and the one that it has in some of them), and how time was removed.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ...errors import DataError
from ...files.text_tables import open_text

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Layer:
    """One layer of a published network.

    Attributes
    ----------
    index : int
    name : str
    keys : tuple of str
        In the files, the usual one first.
    time : str
        How time was removed.
    """

    index: int
    name: str
    keys: tuple[str, ...]
    time: str


@dataclass(frozen=True)
class Network:
    """One published network.

    Attributes
    ----------
    name, published_name : str
        In the archives, and in the figures.
    files : {"pickles", "h5"}
    input : str
        How sounds were prepared.
    layers : tuple of Layer
        In order.
    """

    name: str
    published_name: str
    files: str
    input: str
    layers: tuple[Layer, ...]


@cache
def networks() -> dict[str, Network]:
    """Return the published networks by code name."""
    layers: dict[str, list[Layer]] = {}
    for row in _rows("layers.tsv"):
        keys = tuple(key for key in (row["key"], row["other_key"]) if key)
        layers.setdefault(row["family"], []).append(Layer(int(row["layer"]), row["name"], keys, row["time"]))
    return {
        row["network"]: Network(
            row["network"], row["published_name"], row["files"], row["input"], tuple(layers[row["family"]])
        )
        for row in _rows("networks.tsv")
    }


def lookup(name: str) -> Network | None:
    """Return a network by code name or published name, in any case; None if there is none of that name."""
    return _by_any_name().get(name.casefold())


def find_network(name: str) -> Network:
    """Return a network by code name or published name, in any case.

    Raises
    ------
    DataError
        There is no such network; the message lists them.
    """
    network = lookup(name)
    if network is None:
        known = ", ".join(f"{network.name} ({network.published_name})" for network in networks().values())
        raise DataError(f"there is no published network {name!r}; there are {known}.")
    return network


@cache
def _by_any_name() -> dict[str, Network]:
    return {
        name.casefold(): network for network in networks().values() for name in (network.published_name, network.name)
    }


def _rows(name: str) -> list[dict[str, str]]:
    return open_text(_HERE / name).rows()
