"""What enters a study, said in options: features, targets, stimuli, splits, confounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..options import Name, Options
from .split_options import Splits

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


class Features(Options):
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


class Targets(Options):
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


class Stimuli(Options):
    """Optional table of the stimuli: their categories, and groups for the splits."""

    table: Path | None = None
    by: str = "category"


class Confounds(Options):
    """Variables to remove from features and responses inside the splits."""

    table: Path | None = None
    apply_to: list[Literal["x", "y"]] = ["x", "y"]


class Inputs(Options):
    """Features x targets x splits, and what becomes of stimuli and targets that lack something."""

    features: dict[Name, Features] = Field(min_length=1)
    targets: Targets
    stimuli: Stimuli = Stimuli()
    splits: Splits
    confounds: Confounds = Confounds()
    missing: Literal["error", "drop"] = "error"
    missing_targets: Literal["error", "drop"] = "error"

    @model_validator(mode="after")
    def _joined_sets_exist(self) -> Inputs:
        own = [name for name, source in self.features.items() if source.join is None]
        for name, source in self.features.items():
            wrong = [part for part in source.join or [] if part not in own]
            if wrong or len(set(source.join or [])) != len(source.join or []):
                raise ValueError(f"features.{name}.join: {source.join} must name different ones of {own}")
        return self

    @model_validator(mode="after")
    def _stimuli_have_a_table(self) -> Inputs:
        """Refuse splits by groups or categories that no table gives."""
        wanted = None if self.splits.groups is None else f"splits.groups: {self.splits.groups}"
        if wanted is None and self.splits.kind == "stratified_kfold":
            wanted = "splits: {kind: stratified_kfold}"
        if wanted is not None and self.stimuli.table is None:
            raise ValueError(f"{wanted} needs `stimuli: {{table: ...}}`, a table with `stimulus` and that column")
        return self
