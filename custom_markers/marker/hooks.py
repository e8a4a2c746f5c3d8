"""Activations of any torch module, taken by forward hooks in one pass.

A `Stage` says where a layer is in a network and which axis of its tensor is which; `record` runs the network once and
returns a copy of every stage. A hook copies before the network goes on, so that a later in-place operation
(`ReLU(inplace=True)`, `x += y`) cannot change what is returned.
"""

from __future__ import annotations  # torch is imported when it is used: junifer commands that need none start faster

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor, nn


class HookError(ValueError):
    """A stage does not fit its network; the message names the stage and the module."""


@dataclass(frozen=True)
class Stage:
    """A layer of a network: which tensor, and what its axes are.

    Parameters
    ----------
    name : str
        The layer's name in the stored features.
    module : str
        Dotted path of the submodule as `network.named_modules()` lists it (`encoder.layers.3`); "" is the network.
    axes : str
        One word per axis of the tensor, such as "batch time unit" or "batch channel frequency time": `batch` exactly
        once, `time` at most once; all others are flattened to units, the last one fastest. An axis into which the
        network folded another one has both words, the slower one first: "batch*time unit" for [B T, D] in which the
        frames of a sound are neighbours, "time*batch unit" where the sounds of a frame are.
    source : {"output", "input"}
        What the module returns, or what it is called with.
    pick : int, str or None
        Which part of it: position in a tuple, key or attribute of a dictionary or dataclass; for an input, the position
        or the keyword of the argument. None: it is a tensor (or the only part, the only tensor among the positions).
    after : function or None
        Applied to the copied tensor once the pass is over; `axes` describes what it returns. It must depend on nothing
        but the tensor.
    call : int or None
        Which call of a module that is called several times in a pass (recurrent or shared modules): 0 is the first, -1
        the last. None: it is called once, more is an error.

    Raises
    ------
    HookError
        `axes`, `source` or `call` is none of what is allowed.
    """

    name: str
    module: str
    axes: str
    source: Literal["output", "input"] = "output"
    pick: int | str | None = None
    after: Callable[[Tensor], Tensor] | None = None
    call: int | None = None

    def __post_init__(self) -> None:
        words = self.words
        if words.count("batch") != 1 or words.count("time") > 1 or len(set(words)) != len(words) or "" in words:
            raise HookError(
                f"stage {self.name!r}: axes {self.axes!r}: one word per axis is needed, each another, `batch` exactly "
                "once, `time` at most once; for example 'batch channel time', or 'batch*time unit' where frames are "
                "folded into the batch."
            )
        if any("*" in axis and (axis.count("*") > 1 or "batch" not in axis.split("*")) for axis in self.axes.split()):
            raise HookError(
                f"stage {self.name!r}: axes {self.axes!r}: `*` joins `batch` and one other word, as in 'batch*time'."
            )
        if self.source not in ("output", "input"):
            raise HookError(f"stage {self.name!r}: source {self.source!r} is neither 'output' nor 'input'.")
        if self.call is not None and self.call < -1:
            raise HookError(f"stage {self.name!r}: call {self.call!r} is neither -1 (the last) nor counted from 0.")

    @property
    def words(self) -> list[str]:
        """The words of the axes once folded axes are apart: of `batch*time unit`, batch, time and unit."""
        return [word for axis in self.axes.split() for word in axis.split("*")]

    @property
    def has_time(self) -> bool:
        """Whether one of the axes is time."""
        return "time" in self.words

    @property
    def is_folded(self) -> bool:
        """Whether the batch shares an axis with another word."""
        return "*" in self.axes

    def __str__(self) -> str:
        """Spell where the stage is, for messages and metadata."""
        pick = "" if self.pick is None else f"[{self.pick!r}]"
        call = "" if self.call is None else f", call {self.call}"
        after = "" if self.after is None else f", then {getattr(self.after, '__qualname__', self.after)}"
        return f"{self.source}{pick} of {self.module or 'the network'}{call}{after}: {self.axes}"

    def unfolded(self, tensor: Tensor, batch: int | None) -> Tensor:
        """Take the axis apart into which the network folded another one; `batch` is the number of sounds.

        Raises
        ------
        HookError
            The number of sounds is not known, or the axis is no multiple of it.
        """
        axes = self.axes.split()
        axis = next((number for number, words in enumerate(axes) if "*" in words), None)
        if axis is None:
            return tensor
        size = tensor.shape[axis]
        if batch is None:
            raise _error(self, "how many sounds the folded axis holds is not known; say it (`batch=`)")
        if size % batch:
            raise _error(
                self,
                f"the tensor has shape {list(tensor.shape)}, so its axis `{axes[axis]}` has size {size}, which is no "
                f"multiple of the {batch} sounds that were given",
            )
        return tensor.unflatten(axis, (batch, -1) if axes[axis].startswith("batch") else (-1, batch))

    def arranged(self, tensor: Tensor) -> Tensor:
        """Bring a tensor of this stage, folded axes apart, into the order [B, T, units], [B, units] without time."""
        words = self.words
        first = [words.index(word) for word in ("batch", "time") if word in words]
        tensor = tensor.permute(*first, *(axis for axis in range(len(words)) if axis not in first))
        return tensor.reshape(*tensor.shape[: len(first)], -1)


class _Copy:
    """The hooks of one stage: count the calls of its module and keep a copy of the chosen one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.calls = 0
        self.tensor: Tensor | None = None

    def attach(self, module: nn.Module) -> Any:
        """Register on a module; return the handle that removes the hook."""
        if self.stage.source == "input":
            return module.register_forward_pre_hook(self._before, with_kwargs=True)
        return module.register_forward_hook(self._after)

    def _before(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        self._keep(_argument(self.stage, args, kwargs))

    def _after(self, module: nn.Module, args: tuple, output: Any) -> None:
        self._keep(_part(self.stage, output))

    def _keep(self, tensor: Tensor) -> None:
        wanted = 0 if self.stage.call is None else self.stage.call
        if wanted in (self.calls, -1):
            self.tensor = tensor.detach().clone()
        self.calls += 1

    def result(self) -> Tensor:
        """Return the copy, or say why there is none."""
        if self.calls == 0:
            raise _error(
                self.stage,
                "the module was never called in this pass. Containers (ModuleList) and modules whose parent works "
                "without calling them never are; name the module that computes, or the input of the next one.",
            )
        if self.stage.call is None and self.calls > 1:
            raise _error(
                self.stage,
                f"the module was called {self.calls} times in this pass (recurrent use, or shared between layers). Say "
                "which call with `call=`: 0 is the first, -1 the last.",
            )
        if self.tensor is None:
            raise _error(self.stage, f"the module was called {self.calls} times in this pass; there is no such call.")
        return self.tensor if self.stage.after is None else self.stage.after(self.tensor)


def record(
    network: nn.Module,
    stages: Sequence[Stage],
    run: Callable[[], Any],
    *,
    batch: int | None = None,
    finite: bool = True,
) -> dict[str, Tensor]:
    """Call `run()` once and return a copy of every stage's tensor.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode with all its submodules. It is left as it was: hooks are on the modules of `stages` only, and
        are removed also when something fails.
    stages : sequence of Stage
        With different names.
    run : function
        Calls the network, for example `lambda: network(waves)`. Gradients are its caller's choice (`inference_mode`).
    batch : int, optional
        Number of sounds that `run` gives to the network; by default the stages must agree with each other. Needed for
        a stage with a folded axis.
    finite : bool
        Refuse values that are not finite.

    Returns
    -------
    dict of str to Tensor
        By stage name, in the axes of the stage (folded axes apart: `words`), detached.

    Raises
    ------
    HookError
        The network is in training mode; a path does not exist; a module was never called, or more than once; what it
        gives is no tensor, or has other axes or another batch size than named, or is empty, complex or not finite.
    """
    training = next((name for name, module in network.named_modules() if module.training), None)
    if training is not None:
        raise HookError(
            f"{_kind(network)} is in training mode ({training or 'the network itself'}), in which dropout is random "
            "and batch normalisation changes. Call network.eval(); a module that overrides train() must obey it."
        )
    names = [stage.name for stage in stages]
    if len(set(names)) != len(names):
        raise HookError(f"two stages have the same name: {names}.")
    copies = [_Copy(stage) for stage in stages]
    handles = []
    try:
        for copy in copies:
            handles.append(copy.attach(_submodule(network, copy.stage)))
        run()
    finally:
        for handle in handles:
            handle.remove()
    tensors = {}
    for copy in copies:
        tensor = copy.result()
        batch = _check(copy.stage, tensor, batch, finite)
        tensors[copy.stage.name] = copy.stage.unfolded(tensor, batch)
    return tensors


def _submodule(network: nn.Module, stage: Stage) -> nn.Module:
    """Find the module of a stage, or name similar ones."""
    try:
        return network.get_submodule(stage.module)
    except AttributeError as error:
        paths = [path for path, _ in network.named_modules(remove_duplicate=False) if path]
        close = difflib.get_close_matches(stage.module, paths, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(paths[:8]) or 'no submodules'}"
        raise _error(stage, f"{_kind(network)} has no submodule of that path; {hint}") from error


def _part(stage: Stage, value: Any) -> Tensor:
    """Take the tensor of a stage out of what a module returned."""
    if stage.pick is not None:
        try:
            if isinstance(stage.pick, int) or isinstance(value, Mapping):
                value = value[stage.pick]
            else:
                value = getattr(value, stage.pick)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise _error(stage, f"the module gives {_describe(value)}, which has no part {stage.pick!r}") from error
    elif isinstance(value, tuple | list) and len(value) == 1:
        value = value[0]
    return _tensor(stage, value)


def _argument(stage: Stage, args: tuple, kwargs: dict) -> Tensor:
    """Take the tensor of a stage out of what a module was called with."""
    import torch

    if stage.pick is not None:
        try:
            return _tensor(stage, args[stage.pick] if isinstance(stage.pick, int) else kwargs[stage.pick])
        except (IndexError, KeyError) as error:
            raise _error(
                stage, f"the module is called with {_describe(args)} and the keywords {', '.join(kwargs) or 'none'}"
            ) from error
    tensors = [value for value in args if isinstance(value, torch.Tensor)]
    if len(tensors) != 1:
        raise _error(
            stage,
            f"the module is called with {_describe(args)} and the keywords {', '.join(kwargs) or 'none'}; say with "
            "`pick=` which position or keyword is meant",
        )
    return tensors[0]


def _tensor(stage: Stage, value: Any) -> Tensor:
    import torch

    if not isinstance(value, torch.Tensor):
        raise _error(
            stage, f"{_describe(value)} is no tensor; `pick=` chooses a part of it by position, key or attribute"
        )
    return value


def _check(stage: Stage, tensor: Any, batch: int | None, finite: bool) -> int | None:
    """Compare a tensor with the axes of its stage; return its batch size, `batch` where it is folded into an axis."""
    import torch

    tensor = _tensor(stage, tensor)  # `after` may have made something else of it
    words, shape = stage.axes.split(), list(tensor.shape)
    if len(words) != len(shape):
        raise _error(stage, f"the tensor has shape {shape}, {len(shape)} axes; {len(words)} are named")
    size = shape[words.index("batch")] if "batch" in words else batch
    if batch not in (None, size):
        raise _error(
            stage, f"the tensor has shape {shape}, so its axis `batch` has size {size}; {batch} sounds were given"
        )
    if tensor.numel() == 0:
        raise _error(stage, f"the tensor is empty, its shape is {shape}")
    if tensor.is_complex():
        raise _error(stage, "the tensor is complex; say with `after=` what is stored of it, for example torch.abs")
    if finite and not torch.isfinite(tensor).all():
        raise _error(stage, f"{int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values are not finite")
    return size


def _error(stage: Stage, problem: str) -> HookError:
    return HookError(f"stage {stage.name!r} ({stage}): {problem}{'' if problem[-1] in '.?' else '.'}")


def _describe(value: Any) -> str:
    """Spell the type of a value, with those of its parts: `tuple(Tensor, NoneType)`."""
    if isinstance(value, tuple | list):
        return f"{_kind(value)}({', '.join(_kind(part) for part in value)})"
    if isinstance(value, Mapping):
        return f"{_kind(value)}({', '.join(f'{key}: {_kind(part)}' for key, part in value.items())})"
    return _kind(value)


def _kind(value: Any) -> str:
    return type(value).__name__
