"""Where torch computes, and how precisely."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def torch_device(device: str) -> torch.device:
    """Return the torch device of the parameter `device`; `auto` is the first CUDA GPU, else the processor.

    Raises
    ------
    ValueError
        It is not there; the message says which are.
    """
    import torch

    n_gpus = torch.cuda.device_count()
    here = ["cpu", *(["cuda"] if n_gpus else []), *(f"cuda:{index}" for index in range(n_gpus))]
    here += ["mps"] if torch.backends.mps.is_available() else []
    if device == "auto":
        return torch.device("cuda" if n_gpus else "cpu")
    if device not in here:
        raise ValueError(f"device: {device!r} is not on this machine. Allowed here: auto, {', '.join(here)}.")
    return torch.device(device)


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep GPUs from rounding to TF32 (10 bits), which they do in convolutions by default: values stay the CPU's."""
    from torch import backends

    switches: tuple[Any, ...] = (backends.cudnn, backends.cuda.matmul)
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = False
        yield
    finally:
        for switch, allowed in zip(switches, before, strict=True):
            switch.allow_tf32 = allowed
