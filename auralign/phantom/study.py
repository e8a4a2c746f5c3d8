"""The built-in synthetic study: 165 sounds, the responses of six components and of 300 voxels, all made here.

Everything is SYNTHETIC, as an imaging phantom is: no recording and no brain is involved. It has the shape of
the natural-sound study (two-second sounds in the same 11 categories, responses in the same file layout). Each
response is made from known quantities plus noise of known size, so the right answer is known:

    response_c = signal_c + noise_c,   var(signal_c) = 1,   var(noise_c) = 1 / ceiling_c - 1

with signal_c standardised over the 165 sounds. `ceiling` is thus the expected squared correlation of response
and noise-free signal, the most that any features can reach. E[t, f] is the log10 energy of 20 bands in 10 ms
steps:

=========  ===================================================================================  =========
component  signal                                                                               expected
=========  ===================================================================================  =========
lowfreq    mean of E below 400 Hz minus half the mean of all E                                  recovered
highfreq   mean of E from 3 to 7 kHz minus half the mean of all E                               recovered
envsounds  mean of E from 1 to 4 kHz, plus the mean over bands of the sd of E over time         recovered
pitch      harmonicity: highest autocorrelation at lags of 1.5 to 15 ms                         partly
speech     depth of the 4-8 Hz modulation of E from 300 to 3500 Hz, plus the category           partly
music      a number drawn per sound, which has nothing to do with its waveform                  not
=========  ===================================================================================  =========

`expected` is for the median r2_corr of ridge on the mean and the standard deviation over time of log-mel
energies, trained on half of the sounds: recovered = at least 0.75 of the ceiling; not = below 0.1, with any
features; partly = between. Who scores on `music` has a leak; who misses `lowfreq` has lost the order of the
sounds.

Voxels are non-negative mixtures of the six noise-free signals, smooth on a sheet with one hot spot per
component, in three repetitions with independent noise; every tenth is noise only. Their `ceiling` is that of
the mean of the three repetitions, var_signal / (var_signal + var_noise / 3).
"""

from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import savemat, wavfile

from .acoustics import RATE, acoustics

SEED, N_VOXELS = 2015, 300
VERSION = 2  # part of the dataset's identity: raise it with every change of what is written
TIME = np.arange(2 * RATE) / RATE  # [N] seconds
# Category -> number of sounds, in the order of the natural-sound study's list of categories.
CATEGORIES = dict(
    EngSpeech=10, ForSpeech=7, HumVoc=13, HumNonVoc=15, AniVoc=10, AniNonVoc=5, Nature=4, Mechanical=39,
    Song=11, Music=24, EnvSound=27,
)  # fmt: skip
SPEECH_BONUS = dict(EngSpeech=2.0, ForSpeech=2.0, Song=1.0)  # in standard deviations of the modulation depth
TOP = 0.0191  # the largest component response in the natural-sound study

TARGETS = """
target     ceiling  expected   driven_by                                               why
lowfreq    0.94     recovered  log energy below 400 Hz minus half the overall mean     linear in log-mel means
highfreq   0.92     recovered  log energy from 3 to 7 kHz minus half the overall mean  linear in log-mel means
envsounds  0.90     recovered  log energy from 1 to 4 kHz and its variation over time  linear in means and sds
pitch      0.90     partly     harmonicity by autocorrelation                          nonlinear in log-mel
speech     0.88     partly     4-8 Hz modulation from 300 to 3500 Hz and the category  sds have no rate
music      0.90     not        a number drawn per sound                                not in the waveform
"""

# One line per kind of sound. tone: share of the harmonic source, the rest is noise in the band. f0 and band
# (Hz), rate (events per second): drawn from their range. tilt: harmonic k has amplitude k ** -tilt.
# voice: 1 where the formants change with every event.
KINDS = """
category    name            tone  f0         contour  tilt  voice  band        envelope   rate
EngSpeech   man_talking     0.85  90-140     speech   1.0   1      2000-7000   syllables  4.0-5.5
EngSpeech   woman_talking   0.85  170-240    speech   1.0   1      3000-8000   syllables  4.0-6.0
EngSpeech   whispering      0.05  100-200    speech   1.0   1      600-6000    syllables  4.0-5.5
ForSpeech   fast_talker     0.80  100-220    speech   1.0   1      2500-8000   syllables  5.0-6.5
HumVoc      laughter        0.70  200-420    speech   0.8   1      1000-6000   bursts     4.5-6.0
HumVoc      crying          0.90  350-520    glide    0.7   1      2000-6000   swell      0.8-1.2
HumVoc      coughing        0.15  120-200    steady   1.0   1      400-5000    decays     1.5-2.5
HumVoc      humming         0.97  120-260    vibrato  2.0   0      500-2000    steady     1.0-2.0
HumVoc      scream          0.75  600-1100   vibrato  0.5   1      2000-9000   swell      0.5-0.8
HumVoc      breathing       0.02  100-150    steady   1.0   0      500-4000    swell      0.7-1.2
AniVoc      dog_bark        0.60  250-500    glide    0.8   1      600-5000    decays     2.0-3.5
AniVoc      birdsong        0.95  2200-4200  notes    1.5   0      3000-9000   bursts     5.0-9.0
AniVoc      cat_meow        0.90  400-700    glide    0.6   1      1500-6000   swell      0.8-1.5
AniVoc      frog_croak      0.50  60-120     steady   0.5   0      300-2500    bursts     2.0-4.0
HumNonVoc   footsteps       0.10  80-150     steady   1.0   0      100-3000    decays     1.8-2.6
HumNonVoc   clapping        0.00  100-150    steady   1.0   0      800-9000    decays     6.0-14.0
HumNonVoc   scratching      0.00  100-150    steady   1.0   0      2500-12000  bursts     3.0-6.0
AniNonVoc   insect_buzz     0.85  180-320    vibrato  0.5   0      2000-8000   steady     1.0-2.0
AniNonVoc   crickets        0.80  4000-5200  steady   2.0   0      3500-9000   bursts     12.0-20.0
AniNonVoc   wing_flaps      0.00  100-150    steady   1.0   0      150-2500    syllables  7.0-12.0
Nature      rain            0.00  100-150    steady   1.0   0      1000-14000  steady     1.0-2.0
Nature      thunder         0.00  100-150    steady   1.0   0      30-400      decays     0.5-1.0
Mechanical  engine          0.70  40-110     glide    0.6   0      100-3000    steady     1.0-2.0
Mechanical  fan             0.20  110-240    steady   1.2   0      200-6000    steady     1.0-2.0
Mechanical  drill           0.60  250-600    vibrato  0.3   0      1500-11000  steady     1.0-2.0
Mechanical  alarm_beeps     0.98  1000-3000  steady   1.5   0      2000-8000   bursts     2.0-8.0
Mechanical  siren           0.95  500-900    siren    1.2   0      800-4000    steady     1.0-2.0
Mechanical  clock_ticks     0.10  1500-3000  steady   1.0   0      2000-10000  decays     2.0-5.0
Mechanical  typing          0.00  100-150    steady   1.0   0      700-8000    decays     5.0-10.0
Mechanical  static          0.00  100-150    steady   1.0   0      300-16000   steady     1.0-2.0
Song        sung_verse      0.92  150-400    notes    0.9   1      3000-8000   syllables  2.0-4.0
Song        choir           0.90  140-260    chords   1.2   1      2000-6000   swell      0.8-1.5
Music       flute_melody    0.93  450-900    notes    2.0   0      1500-6000   syllables  2.5-5.0
Music       string_melody   0.95  200-500    notes    0.9   0      2000-8000   swell      1.5-4.0
Music       piano_notes     0.97  150-500    notes    1.5   0      500-4000    decays     2.0-5.0
Music       organ_chords    0.98  120-260    chords   0.9   0      500-4000    steady     1.0-2.0
Music       guitar_chords   0.93  100-220    chords   1.1   0      1000-6000   decays     1.5-4.0
Music       drum_loop       0.20  50-100     steady   1.5   0      80-9000     decays     3.0-6.0
EnvSound    pouring         0.15  400-900    glide    1.0   0      500-7000    steady     1.0-2.0
EnvSound    frying          0.00  100-150    steady   1.0   0      2500-14000  decays     15.0-25.0
EnvSound    dishes          0.70  1200-2600  notes    0.5   0      2000-11000  decays     3.0-7.0
EnvSound    crumpled_paper  0.00  100-150    steady   1.0   0      1200-12000  bursts     6.0-14.0
EnvSound    water_drops     0.85  700-1500   notes    2.5   0      600-4000    decays     2.0-5.0
"""


@dataclass(frozen=True)
class Phantom:
    """A synthetic study; S: the 165 stimuli in ascending order of their number, C components, V voxels."""

    sounds: np.ndarray  # [S, N] int16
    stimuli: list[str]  # [S] ids such as stim5_siren
    categories: list[str]  # [S]
    signals: np.ndarray  # [S, C] noise-free component signals, mean 0 and variance 1
    components: np.ndarray  # [S, C] responses: signal plus noise, affinely mapped to 0..TOP
    weights: np.ndarray  # [C, V] what the voxels mix; 0 for voxels of pure noise
    voxels: np.ndarray  # [S, V, 3] float32, three repetitions
    targets: pd.DataFrame  # per component: ceiling, as drawn and as realised; expected; driven_by; why
    voxel_table: pd.DataFrame  # per voxel: subject, place, main component, sd of signal and noise, ceiling


def draw_sound(kind: dict, rng: np.random.Generator) -> np.ndarray:
    """envelope x (harmonics + noise band) of one kind of `KINDS`: int16 [N], peak below full scale."""
    rate = rng.uniform(*_range(kind["rate"]))
    # Events (notes, syllables, knocks) part the time: which one, seconds since its start, share of it over.
    steps = rng.uniform(0.8, 1.2, int(3 * rate) + 4) / rate
    starts = np.cumsum(steps) - steps[0] * (1 + rng.uniform(0, 0.9))
    event = np.searchsorted(starts, TIME, side="right") - 1
    since = TIME - starts[event]
    share = np.clip(since / steps[event + 1], 0, 1)
    envelope = {
        "steady": lambda: 1 + 0.1 * np.sin(2 * np.pi * rate * TIME),
        "swell": lambda: 0.1 + np.sin(np.pi * share) ** 2,
        "decays": lambda: np.exp(-since * rng.uniform(1, 3) * max(rate, 3)) * np.clip(since / 0.002, 0, 1),
        "syllables": lambda: 0.03 + np.sin(np.pi * share) ** 1.5 * rng.uniform(0.5, 1, len(steps))[event],
        "bursts": lambda: 0.02 + np.clip(5 * np.sin(2 * np.pi * share), 0, 1),
    }[kind["envelope"]]()
    tone = _harmonics(kind, event, share, rng)
    noise, floor = _noise(_range(kind["band"]), rng)

    tonal = kind["tone"] * rng.uniform(0.8, 1)
    sound = envelope * (tonal * tone / tone.std() + (1 - tonal) * noise / noise.std())
    sound = sound / sound.std() + 0.01 * floor / floor.std()  # 40 dB below: no band is ever silent
    sound *= np.clip(np.minimum(TIME, TIME[-1] - TIME) / 0.01, 0, 1)  # 10 ms ramps
    sound *= min(10 ** (rng.normal(-21, 3) / 20) / sound.std(), 0.95 / np.abs(sound).max())
    return np.round(sound * 32767).astype(np.int16)


def _harmonics(kind: dict, event: np.ndarray, share: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One period per timbre (harmonics of f0 under two formants), read out at the running phase: [N]."""
    f0 = rng.uniform(*_range(kind["f0"]))
    n_events = event[-1] + 1
    major = np.array([0, 2, 4, 5, 7, 9, 11, 12])
    contour = {
        "steady": lambda: 0 * TIME,
        "vibrato": lambda: 0.6 * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * TIME),
        "glide": lambda: rng.choice([-1, 1]) * rng.uniform(4, 9) * (share - 0.5),
        "siren": lambda: 6 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * TIME),
        "notes": lambda: rng.choice(major, n_events)[event] + 0.2 * np.sin(2 * np.pi * 5.5 * TIME),
        "chords": lambda: rng.choice(major[:6], n_events)[event] + np.array([[0], [4], [7]]),
        "speech": lambda: 2 - 2 * TIME + rng.normal(0, 2, n_events)[event] - 2 * np.square(share),
    }[kind["contour"]]()
    pitch = f0 * 2 ** (np.atleast_2d(contour) / 12)  # [1 or 3 voices, N] Hz, from semitones above f0

    k = np.arange(1, int(np.clip(15000 / pitch.max(), 1, 60)) + 1)  # no harmonic above 15 kHz
    formants = rng.uniform([[300, 900]], [[850, 2500]], (6 if kind["voice"] else 1, 2))[..., None]
    peaks = 1 / (1 + np.square((k * f0 - formants) / (0.12 * formants)))  # [timbre, 2, k]
    spectrum = np.zeros((len(formants), 2049), complex)
    phases = np.exp(2j * np.pi * rng.uniform(size=len(k)))
    spectrum[:, k] = k ** -kind["tilt"] * (0.12 + peaks.sum(1)) * phases
    period = np.fft.irfft(spectrum)  # [timbre, 4096]
    phase = (np.cumsum(pitch / RATE, axis=1) * 4096).astype(int) % 4096
    return period[rng.integers(len(period), size=n_events)[event], phase].sum(0)


def _noise(band: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise in a band, 12 dB per octave on either side, and pink noise: [2, N]."""
    low, high = band * np.exp(rng.normal(0, 0.2, 2))
    f = np.fft.rfftfreq(len(TIME), 1 / RATE)[1:]
    in_band = f ** -rng.uniform(0, 0.5) / np.sqrt((1 + (low / f) ** 4) * (1 + (f / high) ** 4))
    spectrum = np.fft.rfft(rng.normal(size=(2, len(TIME))))
    spectrum[:, 0] = 0
    spectrum[:, 1:] *= np.stack([in_band, f**-0.5])
    return np.fft.irfft(spectrum, len(TIME))


def generate(seed: int = SEED, n_voxels: int = N_VOXELS) -> Phantom:
    """Make the whole study; equal arguments give equal bytes.

    Every sound has a random generator of its own, seeded by `seed` and its number, and so have components and
    voxels: the components do not depend on `n_voxels`.
    """
    rng = np.random.default_rng([seed, 0])
    kinds = {name: rows.to_dict("records") for name, rows in _table(KINDS).groupby("category")}
    plan = [kinds[name][i % len(kinds[name])] for name, n in CATEGORIES.items() for i in range(n)]
    plan = [plan[i] for i in rng.permutation(len(plan))]
    numbers = 4 + np.cumsum(rng.integers(1, 6, len(plan)))  # ascending, with gaps
    generators = [np.random.default_rng([seed, n]) for n in numbers]
    sounds = np.stack([draw_sound(kind, own) for kind, own in zip(plan, generators, strict=True)])
    categories = [kind["category"] for kind in plan]

    rng = np.random.default_rng([seed, 1])
    targets = _table(TARGETS)
    signals = _standardise(np.stack([acoustics(sound) for sound in sounds]))  # [S, 5]
    signals[:, 4] += [SPEECH_BONUS.get(category, 0.0) for category in categories]
    signals = _standardise(np.column_stack([signals, rng.normal(size=len(plan))]))  # [S, C]
    responses = signals + rng.normal(size=signals.shape) * np.sqrt(1 / targets["ceiling"].to_numpy() - 1)
    realised = np.square(np.mean(signals * _standardise(responses), axis=0))
    targets.insert(2, "ceiling_realised", realised.round(4))
    low, high = responses.min(0), responses.max(0)

    weights, voxels, voxel_table = mix_voxels(signals, targets["target"], n_voxels, seed)
    return Phantom(
        sounds=sounds,
        stimuli=[f"stim{n}_{kind['name']}" for kind, n in zip(plan, numbers, strict=True)],
        categories=categories,
        signals=signals,
        components=TOP * (responses - low) / (high - low),
        weights=weights,
        voxels=voxels,
        targets=targets,
        voxel_table=voxel_table,
    )


def mix_voxels(
    signals: np.ndarray, components: pd.Series, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """signals [S, C] @ weights + noise: weights [C, V], responses [S, V, 3] and the table of the voxels."""
    rng = np.random.default_rng([seed, 2])
    place = rng.uniform([0, 0], [60, 40], (n, 2))  # mm on a flat sheet
    spots = np.array([[25, 15], [35, 25], [12, 28], [45, 12], [30, 34], [54, 28]])  # [C, 2] one hot spot each
    distance = np.linalg.norm(place - spots[:, None], axis=2)  # [C, V]
    weights = np.exp(-np.square(distance / 8) / 2) * rng.lognormal(0, 0.3, distance.shape)
    silent = np.arange(n) % 10 == 9
    weights[:, silent] = 0

    mixture = signals @ weights  # [S, V]
    signal_sd = mixture.std(0)
    noise_sd = rng.uniform(0.5, 1.5, n) * np.where(silent, np.median(signal_sd[~silent]), signal_sd)
    noise = rng.normal(size=(*mixture.shape, 3)) * noise_sd[:, None]
    mean = rng.uniform(0.5, 1.5, n)
    voxels = mean[:, None] + mixture[..., None] + noise  # [S, V, 3]
    main = components.to_numpy()[weights.argmax(0)]
    table = pd.DataFrame({
        "target": [f"v{i:04d}" for i in range(n)],
        "subject": 1 + np.arange(n) * 6 // n,
        "hemi": rng.choice(["lh", "rh"], n),
        "x": place[:, 0].round(2),
        "y": place[:, 1].round(2),
        "roi": np.where(silent, "outside", main + "_spot"),
        "component": np.where(silent, "noise", main),
        "signal_sd": signal_sd.round(6),
        "noise_sd": noise_sd.round(6),
        "ceiling": (signal_sd**2 / (signal_sd**2 + noise_sd**2 / 3)).round(4),
    })  # fmt: skip
    return weights, voxels.astype(np.float32), table


def write(phantom: Phantom, folder: Path) -> None:
    """Write the study in the layout of the natural-sound study, with voxels and truth beside it.

    As there: `sounds/wav/<stimulus>.wav`, `sounds/category_labels.csv`, `data/components.mat`, whose rows go
    by category and not in ascending order. Added: `sounds/stimuli.tsv`, `data/voxels.npy` [S, V, 3],
    `data/voxels.tsv`, `data/targets.tsv`. FileExistsError if `folder` already holds `sounds/wav` or `data`.
    """
    folder = Path(folder)
    (folder / "sounds/wav").mkdir(parents=True)
    (folder / "data").mkdir()
    for stimulus, sound in zip(phantom.stimuli, phantom.sounds, strict=True):
        wavfile.write(folder / f"sounds/wav/{stimulus}.wav", RATE, sound)
    stimuli = pd.DataFrame({"stimulus": phantom.stimuli, "category": phantom.categories})
    # every table of responses says what it is, so that no result can pass for one of a brain
    voxels, targets = phantom.voxel_table.assign(synthetic=True), phantom.targets.assign(synthetic=True)
    tables = {"sounds/stimuli": stimuli, "data/voxels": voxels, "data/targets": targets}
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, lineterminator="\n")
    np.save(folder / "data/voxels.npy", phantom.voxels)

    by_category = np.argsort([list(CATEGORIES).index(c) for c in phantom.categories], kind="stable")
    stimuli = stimuli.iloc[by_category]
    lines = [f"{stimulus},{category}" for stimulus, category in stimuli.to_numpy()]
    (folder / "sounds/category_labels.csv").write_text("\n".join(lines))  # no line break at the end, as there
    mat = BytesIO()
    savemat(mat, {
        "R": phantom.components[by_category],
        "W": phantom.weights,
        "stim_names": stimuli["stimulus"].to_numpy(object)[None, :],
        "component_names": phantom.targets["target"].to_numpy(object)[:, None],
        "category_labels": stimuli["category"].to_numpy(object)[None, :],
        "categories": np.array(list(CATEGORIES), object)[:, None],
    })  # fmt: skip
    header = b"MATLAB 5.0 MAT-file, SYNTHETIC (auralign phantom)".ljust(116)  # scipy's holds a date
    (folder / "data/components.mat").write_bytes(header + mat.getvalue()[116:])


def _range(text: str) -> np.ndarray:
    """The two bounds of "low-high"."""
    return np.array(text.split("-"), float)


def _standardise(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(0)) / x.std(0)


def _table(text: str) -> pd.DataFrame:
    """A table of this module: two or more spaces part its columns."""
    return pd.read_csv(StringIO(text), sep=r"\s{2,}", engine="python")
