"""Where the large matrix products of a solver are done: numpy on the processor, or torch on a GPU.

A solver is written once, in what numpy arrays and torch tensors have in common: operators, `reshape`, slices, and the
few functions of `Arrays`. Everything is in double precision on both, so that results differ by rounding alone and the
device is not among what a block's key is made of.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator

from ...errors import ConfigError

# columns of one call from which on a GPU is worth its start (importing torch, some hundred MB of its context)
WORTH_A_GPU = 512

NAMES = re.compile(r"auto|cpu|cuda(:\d+)?")


def _known(device: str) -> str:
    if not NAMES.fullmatch(device):
        raise ValueError(f"device must be auto, cpu, cuda, or one of several GPUs as cuda:1; got {device!r}")
    return device


# where the large products of a solver are done
Device = Annotated[str, AfterValidator(_known)]


class Arrays:
    """The arrays of numpy.

    Attributes
    ----------
    name : str
        Of the device.
    block : int or None
        Columns that are solved at a time; None: as few as fit into the processor's cache.
    out_of_memory : tuple of exception classes
        What is raised where the device's memory does not suffice.
    """

    name = "cpu"
    block: int | None = None
    out_of_memory: tuple[type[BaseException], ...] = ()

    def put(self, array: np.ndarray) -> Any:
        """Bring an array to the device."""
        return array

    def get(self, array: Any) -> np.ndarray:
        """Bring an array back."""
        return array

    def einsum(self, terms: str, *arrays: Any) -> Any:
        """Sum products of arrays, as `numpy.einsum`."""
        return np.einsum(terms, *arrays)


class TorchArrays(Arrays):
    """Tensors of torch, on any of its devices ("cpu" too, by which the code is tested where there is no GPU)."""

    block = 16_384

    def __init__(self, name: str) -> None:
        import torch  # three seconds, which only who has a GPU spends

        self.name = name
        self.out_of_memory = (torch.cuda.OutOfMemoryError,)
        self._torch = torch

    def put(self, array: np.ndarray) -> Any:
        """Bring an array to the device."""
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self.name)

    def get(self, array: Any) -> np.ndarray:
        """Bring an array back."""
        return array.cpu().numpy()

    def einsum(self, terms: str, *arrays: Any) -> Any:
        """Sum products of arrays, as `numpy.einsum`."""
        return self._torch.einsum(terms, *arrays)


HOST = Arrays()


def arrays_on(device: str | Arrays, n_columns: int) -> Arrays:
    """Open a device.

    Parameters
    ----------
    device : str or Arrays
        "cpu"; "cuda" or "cuda:1", a GPU; "auto": a GPU where there is one, torch is installed and there are at least
        `WORTH_A_GPU` columns to solve, else the processor. torch is imported for a GPU alone. Arrays are taken as they
        are.
    n_columns : int

    Raises
    ------
    ConfigError
        The name is none of these, or torch finds no such GPU.
    """
    if isinstance(device, Arrays):
        return device
    try:
        _known(device)
    except ValueError as error:
        raise ConfigError(f"ridge: {error}.") from error
    if device == "cpu" or (device == "auto" and not (n_columns >= WORTH_A_GPU and _may_have_a_gpu())):
        return HOST
    if importlib.util.find_spec("torch") is None:
        raise ConfigError(f"ridge: device: {device} needs torch, which is not installed; install it, or give cpu.")
    import torch

    number, found = int(device.partition(":")[2] or 0), torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number < found:
        return TorchArrays(f"cuda:{number}")
    if device == "auto":
        return HOST
    raise ConfigError(
        f"ridge: device: {device}: torch {torch.__version__} finds {found or 'no'} GPU{'s' if found > 1 else ''} on "
        "this machine. Give `device: auto`, which takes a GPU where there is one, or cpu."
    )


def _may_have_a_gpu() -> bool:
    """Tell whether torch is worth asking: it is installed, and so is the driver of a GPU; imports nothing."""
    if importlib.util.find_spec("torch") is None:
        return False
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
