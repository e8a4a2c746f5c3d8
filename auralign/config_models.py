"""What the YAML file of a comparison may say, key by key; `auralign.config` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from .analysis.hypothesis_models import BestOverall, DepthByRegion, DomainMatch, Hypothesis
from .metrics import Metric
from .split_models import Seed, Splits

# names become parts of file names and of labels
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


# where a feature set may come from
SOURCES = ("storage", "table", "activations", "song165", "join")
# by kind of targets: keys that it needs, and keys that it may have
TARGET_KEYS = {
    "components": (["dataset"], []),
    "voxels": (["dataset"], []),
    "table": (["table"], []),
    "published_components": (["folder"], []),
    "published_voxels": (["folder", "study"], ["repetitions", "subjects", "rois", "regions"]),
    "song165": (["folder"], ["window"]),
}


class Section(BaseModel):
    """A mapping of the YAML file in which an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Features(Section):
    """One feature set.

    A marker in a junifer storage; a table; a folder of published activations; the acoustic features of song165; or
    other sets of this comparison side by side.
    """

    storage: Path | None = None
    marker: str | None = None
    table: Path | None = None
    activations: Path | None = None
    network: str | None = None
    permuted: bool = False
    stimuli: Path | None = None
    song165: Path | None = None
    join: Annotated[list[str], Field(min_length=2)] | None = None
    layers: Literal["all"] | list[int] = "all"
    exclude_layers: list[int] = []
    # divide every unit by its standard deviation over the development stimuli
    zscore: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> Features:
        given = [key for key in SOURCES if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError(
                "give one of: `storage` and `marker` (junifer features), `table`, `activations` and `network` "
                f"(published ones), `song165`, `join` (names of sets); given: {given}"
            )
        if (self.storage is None) != (self.marker is None):
            raise ValueError("`storage` and `marker` (the name that the marker has in the junifer YAML) go together")
        if (self.activations is None) != (self.network is None):
            raise ValueError("`activations` (a folder) and `network` (its name in the published study) go together")
        if self.activations is None and (self.permuted or self.stimuli is not None):
            raise ValueError("`permuted` and `stimuli` belong to `activations`")
        if self.join is not None and (self.layers != "all" or self.exclude_layers):
            raise ValueError("`join` takes no `layers`: choose them in the sets that are joined")
        if self.join is not None and self.zscore:
            raise ValueError("`join` takes no `zscore`: the joined sets are scaled as wholes")
        return self

    @property
    def path(self) -> Path | None:
        """The file or folder that the set is read from; None for a joined one."""
        return next((getattr(self, key) for key in SOURCES if key != "join" and getattr(self, key) is not None), None)


class Targets(Section):
    """The responses: of a dataset, of the published archives, of song165, or of a table."""

    kind: Literal["components", "voxels", "table", "published_components", "published_voxels", "song165"]
    dataset: Path | None = None
    table: Path | None = None
    folder: Path | None = None
    study: Literal["NH2015", "B2021"] | None = None
    repetitions: Literal[2, 3] | None = None
    subjects: list[int] | None = None
    rois: list[str] | None = None
    regions: Path | None = None
    window: tuple[float, float] | None = None
    target_table: Path | None = None
    # available: a stimulus may lack repetitions; means and ceilings are of those that are there
    missing_repetitions: Literal["error", "available"] = "error"

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Targets:
        needed, optional = TARGET_KEYS[self.kind]
        given = self.model_fields_set - {"kind", "target_table", "missing_repetitions"}
        given = {key for key in given if getattr(self, key) is not None}
        for key in needed:
            if key not in given:
                raise ValueError(f"kind: {self.kind} needs `{key}`")
        surplus = sorted(given - {*needed, *optional})
        if surplus:
            allowed = ", ".join([*needed, *optional, "target_table", "missing_repetitions"])
            raise ValueError(f"kind: {self.kind} takes no `{surplus[0]}`; its keys are {allowed}")
        return self

    @property
    def path(self) -> Path:
        """The file or folder that the responses are read from."""
        return next(path for path in (self.dataset, self.table, self.folder) if path is not None)


class Stimuli(Section):
    """Optional table of the stimuli: their categories, and groups for the splits."""

    table: Path | None = None
    by: str = "category"


class Center(Section):
    """Whether julearn's pipeline has steps that centre features and responses with the development stimuli's means.

    The solvers centre in the same way (they have an intercept), so that scores do not depend on it.
    """

    x: bool = True
    y: bool = True


def _expand_alphas(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = value.get("logspace")
    numbers = isinstance(parts, list) and len(parts) == 3 and all(type(part) in (int, float) for part in parts)
    if set(value) != {"logspace"} or not numbers or not np.isfinite(parts).all() or not 1 <= parts[2] <= 1000:
        raise ValueError("give a list of numbers, or {logspace: [lowest exponent, highest exponent, how many]}")
    low, high, count = parts
    with np.errstate(over="ignore"):
        return [float(alpha) for alpha in np.logspace(low, high, int(count))]


class Ridge(Section):
    """Ridge regression; alpha by exact leave-one-out or inner k-fold on the development stimuli."""

    kind: Literal["ridge"]
    alphas: Annotated[list[float], BeforeValidator(_expand_alphas)] = [float(a) for a in np.logspace(-3, 8, 12)]
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = "loo"
    per_target: bool = True
    unpredictable: Literal["mean", "published"] = "mean"
    seed: Seed = 0

    @field_validator("alphas")
    @classmethod
    def _positive(cls, alphas: list[float]) -> list[float]:
        if not alphas or min(alphas) <= 0 or not np.isfinite(alphas).all():
            raise ValueError(f"alphas must be positive and finite, got {alphas}")
        return sorted(set(alphas))


class Lasso(Section):
    """Lasso; alpha by inner cross-validation on a grid relative to the smallest alpha that gives an empty model."""

    kind: Literal["lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = 5
    seed: Seed = 0


class MultitaskLasso(Section):
    """Lasso of all targets together: one alpha, and a feature is selected for all of them or for none."""

    kind: Literal["multitask_lasso"]
    n_alphas: int = Field(default=50, ge=2)
    eps: float = Field(default=1e-3, gt=0, lt=1)
    cv: Literal["loo"] | Annotated[int, Field(ge=2)] = 5
    standardise_targets: bool = False
    seed: Seed = 0


class Confounds(Section):
    """Variables to remove from features and responses inside the splits."""

    table: Path | None = None
    apply_to: list[Literal["x", "y"]] = ["x", "y"]


KINDS = (Ridge, Lasso, MultitaskLasso, DepthByRegion, DomainMatch, BestOverall)
Estimator = Annotated[Ridge | Lasso | MultitaskLasso, Field(discriminator="kind")]


class Selector(Section):
    """Rows of the scores on one side of a test; what is not said is matched between both sides.

    `layer: nested` is chosen split by split inside the development stimuli, `layer: best` on the test stimuli.
    """

    features: str | None = None
    layer: Annotated[int, Field(strict=True, ge=0)] | Literal["nested", "best"] | None = None
    estimator: str | None = None


class Test(Section):
    """One comparison of two selections of scores, paired over splits."""

    # by default the primary metric of the comparison
    metric: Metric | None = None
    a: Selector
    b: Selector


class AboveChance(Section):
    """A test of every ridge score against permuted stimuli."""

    n_permutations: int = Field(default=1000, ge=19, le=1_000_000)
    # "category": stimuli change places within their category only
    within: Literal["category"] | None = None
    seed: Seed = 0


class Comparison(Section):
    """A whole comparison: features x layers x targets x estimators x splits, and the tests on it."""

    name: Name
    features: dict[Name, Features] = Field(min_length=1)
    targets: Targets
    stimuli: Stimuli = Stimuli()
    splits: Splits
    center: Center = Center()
    confounds: Confounds = Confounds()
    estimators: dict[Name, Estimator] = Field(min_length=1)
    # YAML reads a bare `off` as false
    noise_correction: Annotated[
        Literal["auto", "off"], BeforeValidator(lambda value: "off" if value is False else value)
    ] = "auto"
    # the score of headline, ranking, tests and figures; auto: corrected for noise where that is possible
    metric: Literal["auto"] | Metric = "auto"
    missing: Literal["error", "drop"] = "error"
    missing_targets: Literal["error", "drop"] = "error"
    engine: Literal["auto", "julearn", "multitarget"] = "auto"
    scheduler: str | None = None
    tests: list[Test] = []
    hypotheses: list[Hypothesis] = []
    above_chance: AboveChance | None = None
    fdr: float = Field(default=0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _selectors_name_what_exists(self) -> Comparison:
        for number, test in enumerate(self.tests):
            if test.a == test.b:
                raise ValueError(f"tests[{number}]: both sides select the same; name what differs")
            for side in ("a", "b"):
                selector = getattr(test, side)
                for key, known in (("features", self.features), ("estimator", self.estimators)):
                    value = getattr(selector, key)
                    if value is not None and value not in known:
                        raise ValueError(
                            f"tests[{number}].{side}.{key}: {value!r} is not one of this comparison's: {sorted(known)}"
                        )
        return self

    @model_validator(mode="after")
    def _above_chance_is_possible(self) -> Comparison:
        if self.above_chance is None:
            return self
        if all(e.kind != "ridge" or not e.per_target for e in self.estimators.values()):
            raise ValueError("above_chance: permuted responses need a ridge with per_target: true among the estimators")
        if self.confounds.table is not None:
            raise ValueError("above_chance: not together with confounds, which would have to be permuted as well")
        if self.above_chance.within is not None and self.stimuli.table is None:
            raise ValueError("above_chance.within: category needs `stimuli: {table: ...}` with categories")
        return self

    @model_validator(mode="after")
    def _joined_sets_exist(self) -> Comparison:
        own = [name for name, source in self.features.items() if source.join is None]
        for name, source in self.features.items():
            wrong = [part for part in source.join or [] if part not in own]
            if wrong or len(set(source.join or [])) != len(source.join or []):
                raise ValueError(f"features.{name}.join: {source.join} must name different ones of {own}")
        if len(own) < len(self.features):
            sparse = [name for name, estimator in self.estimators.items() if estimator.kind != "ridge"]
            if sparse:
                raise ValueError(f"`join` is for ridge, which weighs the sets against each other; take out: {sparse}")
        return self

    @model_validator(mode="after")
    def _stimuli_have_a_table(self) -> Comparison:
        """Refuse splits by groups or categories that no table gives."""
        wanted = None if self.splits.groups is None else f"splits.groups: {self.splits.groups}"
        if wanted is None and self.splits.kind == "stratified_kfold":
            wanted = "splits: {kind: stratified_kfold}"
        if wanted is not None and self.stimuli.table is None:
            raise ValueError(f"{wanted} needs `stimuli: {{table: ...}}`, a table with `stimulus` and that column")
        return self

    @model_validator(mode="after")
    def _inner_folds_fit(self) -> Comparison:
        n_train = self.splits.least_train  # other kinds of splits are checked when they are made
        for name, estimator in self.estimators.items():
            if n_train is not None and isinstance(estimator.cv, int) and estimator.cv > n_train:
                raise ValueError(
                    f"estimators.{name}.cv: {estimator.cv} inner folds of {n_train} development stimuli; "
                    f"allowed are 2 to {n_train}, or loo"
                )
        return self
