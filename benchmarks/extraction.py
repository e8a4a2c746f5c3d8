#!/usr/bin/env python
"""Speed and memory of feature extraction with the untrained base network, on synthetic two-second sounds.

Every case runs in a process of its own, one sound at a time as the marker does it: `ours` is the network as it is,
`plain` the same with its linear layers computed by `torch.nn.functional.linear`. The bound is the time that the matrix
products of the network alone would take at the best rate that PyTorch's matmul, or oneDNN's linear, reaches at their
shapes in the same run. Times are CPU seconds of the process (all threads) and wall seconds; each is the smallest of the
repeats.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

SAMPLES = 48_001  # two seconds at 24 kHz as the resampler gives them
TIMED_SOUNDS = 4
CASES = ("ours", "plain", "bound")


def seconds(function: Callable, repeats: int) -> tuple[float, float]:
    """Return the smallest CPU time and the smallest wall time of a call, over some blocks of calls.

    A block lasts 0.15 s or more: the CPU time of the other threads of a process advances in steps of some milliseconds.
    """
    function()
    start = time.perf_counter()
    function()
    calls = 1 + int(0.15 / (time.perf_counter() - start))
    cpu, wall = [], []
    for _ in range(repeats):
        start_cpu, start_wall = time.process_time(), time.perf_counter()
        for _ in range(calls):
            function()
        cpu.append((time.process_time() - start_cpu) / calls)
        wall.append((time.perf_counter() - start_wall) / calls)
    return min(cpu), min(wall)


def sound(index: int) -> np.ndarray:
    """Draw coloured noise under an envelope, and a gliding tone: float32, in [-1, 1], of every loudness and balance."""
    random = np.random.default_rng(index)
    t = np.arange(SAMPLES) / 24_000
    spectrum = np.fft.rfft(random.standard_normal(SAMPLES))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** random.uniform(0, 1.5)
    noise = np.fft.irfft(spectrum, SAMPLES)
    noise *= (1 + np.sin(2 * np.pi * random.uniform(0.5, 10) * t)) / noise.std()
    tone = np.sin(2 * np.pi * (random.uniform(100, 3000) + random.uniform(-50, 500) * t) * t)
    balance, level = random.uniform(), 10 ** random.uniform(-3, -1)
    return (level * (balance * noise + (1 - balance) * tone)).clip(-1, 1).astype(np.float32)


def extract(case: str, sounds: int, repeats: int) -> tuple[dict, np.ndarray]:
    """Time the time means of every layer; return seconds a sound and the features, [sounds, layers, dim]."""
    import torch

    from custom_markers.networks.encodecmae import network as network_module
    from custom_markers.networks.encodecmae.checkpoint import untrained

    if case == "plain":
        network_module._has_onednn_linear = lambda: False
    network = untrained(network_module.NetworkConfig(), 0)
    waves = [torch.from_numpy(sound(index)) for index in range(sounds)]

    def features(waves: list[torch.Tensor]) -> np.ndarray:
        return np.stack([torch.stack([layer.mean(0) for layer in network.activations(w)]).numpy() for w in waves])

    timed = waves[:TIMED_SOUNDS]
    cpu, wall = seconds(lambda: features(timed), repeats)
    return {"cpu": cpu / len(timed), "wall": wall / len(timed)}, features(waves)


def products(repeats: int) -> dict:
    """Sum the best times of the matrix products of one sound: 10 layers and the projection of the front end."""
    import torch

    from custom_markers.networks.encodecmae.mel import n_frames
    from custom_markers.networks.encodecmae.network import NetworkConfig, _has_onednn_linear

    config, frames = NetworkConfig(), n_frames(SAMPLES)
    dim, layers = config.dim, config.encoder_layers
    linear = {  # (inputs, outputs): how often
        (config.mel_bins, dim): 1,
        (dim, dim): 4 * layers,
        (dim, config.ff): layers,
        (config.ff, dim): layers,
    }
    total = {"cpu": 0.0, "wall": 0.0, "flop": 0.0}

    def add(candidates: list[Callable], count: int, flop: int) -> None:
        times = np.array([seconds(function, repeats) for function in candidates]).min(axis=0)
        total["cpu"] += count * times[0]
        total["wall"] += count * times[1]
        total["flop"] += count * flop

    with torch.no_grad():
        for (inputs, outputs), count in linear.items():
            x, weight = torch.randn(frames, inputs), torch.randn(outputs, inputs)
            transposed = weight.T.contiguous()
            candidates = [lambda: x @ weight.T, lambda: x @ transposed]  # noqa: B023
            if _has_onednn_linear():
                operator = torch.ops.mkldnn._linear_pointwise
                candidates.append(lambda: operator(x, weight, None, "none", [], ""))  # noqa: B023
            add(candidates, count, 2 * frames * inputs * outputs)
        q, k = torch.randn(config.heads, frames, config.head_dim), torch.randn(config.heads, config.head_dim, frames)
        weights, v = torch.randn(config.heads, frames, frames), torch.randn(config.heads, frames, config.head_dim)
        flop = 2 * config.heads * frames * frames * config.head_dim
        add([lambda: q @ k], layers, flop)
        add([lambda: weights @ v], layers, flop)
    return total


def measure(case: str, threads: int, sounds: int, repeats: int, output: Path) -> None:
    """Run one case in this process and write what was measured."""
    import torch

    torch.set_num_threads(threads)
    if case == "bound":
        result = products(repeats)
    else:
        result, features = extract(case, sounds, repeats)
        np.save(output.with_suffix(".npy"), features)
    result["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB; Linux counts in KiB
    output.write_text(json.dumps(result))


def in_process_of_its_own(case: str, threads: int, sounds: int, repeats: int, output: Path) -> dict:
    """Run `measure` in a fresh Python, so that peak memory and thread pools are the case's own."""
    root = Path(__file__).resolve().parent.parent
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(paths)}
    options = ["--case", case, "--threads", threads, "--sounds", sounds, "--repeats", repeats, "--output", output]
    subprocess.run([sys.executable, __file__, *map(str, options)], env=environment, check=True)
    return json.loads(output.read_text())


@click.command()
@click.option("--threads", multiple=True, type=click.IntRange(1), default=(1, 2), show_default=True)
@click.option("--sounds", default=24, show_default=True, type=click.IntRange(2), help="Sounds to compare features on.")
@click.option("--repeats", default=4, show_default=True, type=click.IntRange(1), help="Timed blocks of a process.")
@click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1), help="Processes of a case, alternating."
)
@click.option("--case", type=click.Choice(CASES), hidden=True)
@click.option("--output", type=click.Path(path_type=Path), hidden=True)
def main(
    threads: tuple[int, ...], sounds: int, repeats: int, rounds: int, case: str | None, output: Path | None
) -> None:
    """Time extraction against plain linear layers and against its matrix products alone."""
    if case is not None:
        measure(case, threads[0], sounds, repeats, output)
        return
    for count in threads:
        best: dict[str, dict] = {}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(rounds):  # alternating, so that a busy minute meets all cases
                for name in CASES:
                    result = in_process_of_its_own(name, count, sounds, repeats, Path(folder) / f"{name}.json")
                    best[name] = {key: min(best.get(name, result)[key], result[key]) for key in result}
            ours, plain = (np.load(Path(folder) / f"{name}.npy") for name in ("ours", "plain"))
        difference = np.abs(ours - plain).max(axis=0) / plain.std(axis=0)  # [layers, dim], of the spread over sounds
        load = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        click.echo(f"{count} thread{'s' * (count > 1)} ({load}; shared cores make several threads wait for each other)")
        for name in ("ours", "plain"):
            facts = best[name]
            click.echo(
                f"  {name:6s} {facts['cpu']:7.3f} CPU s  {facts['wall']:7.3f} s a sound   "
                f"peak {facts['peak']:5.0f} MiB   {facts['cpu'] / best['bound']['cpu']:5.2f} x the bound"
            )
        bound = best["bound"]
        rate = bound["flop"] / bound["cpu"] / 1e9
        click.echo(f"  bound  {bound['cpu']:7.3f} CPU s  {bound['wall']:7.3f} s a sound   ({rate:.0f} GFLOP a CPU s)")
        click.echo(
            f"  plain / ours: {best['plain']['cpu'] / best['ours']['cpu']:.2f} in CPU time, "
            f"{best['plain']['wall'] / best['ours']['wall']:.2f} in wall time; "
            f"difference of the features, in their spread over the sounds: median {np.median(difference):.1e}, "
            f"largest {difference.max():.1e}"
        )


if __name__ == "__main__":
    main()
