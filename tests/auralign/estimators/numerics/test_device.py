"""Ridge on other devices: the same numbers as numpy, less memory than wanted, and GPUs that are not there."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from auralign.errors import ConfigError, DataError
from auralign.estimators.banded_ridge import predict_banded_ridge
from auralign.estimators.numerics import device as devices
from auralign.estimators.numerics.device import HOST, WORTH_A_GPU, Arrays, TorchArrays, arrays_on
from auralign.estimators.registry import options_of
from auralign.estimators.ridge import fit_ridge, predict_ridge

ALPHAS = np.logspace(-3, 8, 12)


def _data(n_units: int = 90, n_targets: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.standard_normal((60, n_units))
    y = (
        x[:, :3] @ random.standard_normal((min(3, n_units), n_targets))
        + 2.0 * random.standard_normal((60, n_targets))
        + 5.0
    )
    y[:, 4] = 0.1  # constant
    y[:, 7] = random.standard_normal(60)  # nothing predicts it
    return x[:40], y[:40], x[40:]


def _same(found, expected):
    np.testing.assert_array_equal(found.alpha, expected.alpha)
    for name in ("prediction", "r2_dev", "error"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cv", ["loo", 4])
@pytest.mark.parametrize("per_target", [True, False])
@pytest.mark.parametrize("n_units", [90, 8, 1])
def test_torch_gives_the_numbers_of_numpy(n_units, per_target, cv):
    """On the processor, by the code that runs on a GPU."""
    x, y, x_test = _data(n_units)
    on_torch, on_numpy = (
        predict_ridge(x, y, x_test, ALPHAS, cv, per_target, device=arrays) for arrays in (TorchArrays("cpu"), HOST)
    )
    _same(on_torch, on_numpy)


def test_fits_and_banded_fits_on_torch_are_those_of_numpy():
    x, y, x_test = _data()
    fits = [fit_ridge(x, y, ALPHAS, device=arrays) for arrays in (TorchArrays("cpu"), HOST)]
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(fits[0].alpha, fits[1].alpha)
    _same(
        *(predict_banded_ridge(x, y, x_test, [30, 60], ALPHAS, device=arrays) for arrays in (TorchArrays("cpu"), HOST))
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
@pytest.mark.parametrize("cv", ["loo", 4])
def test_a_gpu_gives_the_numbers_of_numpy(cv):
    x, y, x_test = _data(n_targets=2 * WORTH_A_GPU)
    assert arrays_on("auto", y.shape[1]).name == "cuda:0"
    _same(predict_ridge(x, y, x_test, ALPHAS, cv, device="cuda"), predict_ridge(x, y, x_test, ALPHAS, cv, device="cpu"))


class _Small(Arrays):
    """A device whose memory holds some columns; it notes how many it was given."""

    name, block, out_of_memory = "cuda:0", 64, (MemoryError,)

    def __init__(self, room: int) -> None:
        self.room, self.given = room, []

    def einsum(self, terms, *arrays):
        self.given.append(arrays[0].shape[-1])
        if arrays[0].shape[-1] > self.room:
            raise MemoryError
        return super().einsum(terms, *arrays)


@pytest.mark.parametrize("per_target", [True, False])
def test_where_memory_ends_fewer_targets_are_solved_at_a_time(per_target):
    x, y, x_test = _data()
    small = _Small(11)
    _same(
        predict_ridge(x, y, x_test, ALPHAS, per_target=per_target, device=small),
        predict_ridge(x, y, x_test, ALPHAS, per_target=per_target, device="cpu"),
    )
    # 40, 20, then 10 for all that is left: what did not fit is not tried again
    assert small.given[:3] == [40, 20, 10] and max(small.given[2:]) == 10


def test_memory_that_is_too_small_for_one_target_is_said():
    x, y, _ = _data()
    with pytest.raises(DataError, match=r"memory of cuda:0 is too small for a single target.*device: cpu"):
        fit_ridge(x, y, ALPHAS, device=_Small(0))


def test_values_that_are_not_finite_are_named_by_their_place_on_every_device():
    x, y, _ = _data()
    y[3, 39] = np.nan
    with pytest.raises(DataError, match="positions 39"), np.errstate(invalid="ignore"):
        fit_ridge(x, y, ALPHAS, device=_Small(11))


def test_a_gpu_that_is_not_there_is_refused_and_auto_does_without(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(devices, "_may_have_a_gpu", lambda: True)
    assert arrays_on("auto", 10 * WORTH_A_GPU) is HOST
    with pytest.raises(ConfigError, match=r"device: cuda:1: torch .* finds no GPU .*`device: auto`"):
        arrays_on("cuda:1", 1)


def test_auto_takes_a_gpu_for_many_columns_alone(monkeypatch):
    monkeypatch.setattr(devices, "_may_have_a_gpu", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert arrays_on("auto", WORTH_A_GPU).name == "cuda:0" and arrays_on("auto", WORTH_A_GPU - 1) is HOST
    assert arrays_on("cuda:1", 1).name == "cuda:1" and arrays_on("cpu", 10 * WORTH_A_GPU) is HOST
    with pytest.raises(ConfigError, match=r"cuda:2: torch .* finds 2 GPUs"):
        arrays_on("cuda:2", 1)


def test_without_torch_auto_is_the_processor(monkeypatch):
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    assert arrays_on("auto", 10 * WORTH_A_GPU) is HOST
    with pytest.raises(ConfigError, match="device: cuda needs torch"):
        arrays_on("cuda", 1)


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CUDA", ""])
def test_another_name_is_refused(name):
    with pytest.raises(ConfigError, match="device must be auto, cpu, cuda, or one of several GPUs as cuda:1"):
        arrays_on(name, 1)
    with pytest.raises(ValueError, match="device must be auto, cpu, cuda"):
        options_of({"kind": "ridge", "device": name})


def test_a_ridge_without_a_gpu_does_not_import_torch(root):
    code = (
        "import sys, numpy as np; from auralign.estimators.ridge import predict_ridge; "
        "x = np.random.default_rng(0).standard_normal((9, 3)); "
        "predict_ridge(x, np.tile(x, 400), x, [1.0]); "
        "predict_ridge(x, np.tile(x, 400), x, [1.0], device='cpu'); print('torch' in sys.modules)"
    )
    if devices._may_have_a_gpu():
        pytest.skip("there is a driver of a GPU, so that torch is asked")
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.stdout.split() == ["False"], done.stderr
