"""What a study of encoding may say beside its inputs: estimators, tests, hypotheses, which score is read."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationInfo, model_validator

from ...analysis.hypothesis_options import Hypothesis
from ...analysis.paired_test_options import Test
from ...errors import AuralignError
from ...estimators.options import EstimatorOptions
from ...estimators.registry import abilities, options_of
from ...inputs.options import Inputs
from ...options import Name, Options, Seed
from ...scoring.ceiling_options import Ceiling
from ...scoring.metrics import Metric, primary_metric


def _estimator(settings: Any, info: ValidationInfo) -> EstimatorOptions:
    """Check the options of an estimator by its plug-in; a file of its own is relative to the configuration's folder."""
    try:
        return options_of(settings, (info.context or {}).get("folder"))
    except AuralignError as error:
        raise ValueError(str(error)) from error


Estimator = Annotated[SerializeAsAny[EstimatorOptions], BeforeValidator(_estimator)]


class Center(Options):
    """Whether julearn's pipeline has steps that centre features and responses with the development stimuli's means.

    The solvers centre in the same way (they have an intercept), so that scores do not depend on it.
    """

    x: bool = True
    y: bool = True


class AboveChance(Options):
    """A test of every ridge score against permuted stimuli."""

    n_permutations: int = Field(default=1000, ge=19, le=1_000_000)
    # "category": stimuli change places within their category only
    within: Literal["category"] | None = None
    seed: Seed = 0


class Encoding(Inputs):
    """Features x layers x targets x estimators x splits, and the tests on them."""

    center: Center = Center()
    estimators: dict[Name, Estimator] = Field(min_length=1)
    # YAML reads a bare `off` as false
    noise_correction: Annotated[
        Literal["auto", "off"], BeforeValidator(lambda value: "off" if value is False else value)
    ] = "auto"
    # of the noise ceilings of repeated responses
    ceiling: Ceiling = Ceiling()
    # the score of headline, ranking, tests and figures; auto: corrected for noise where that is possible
    metric: Literal["auto"] | Metric = "auto"
    engine: Literal["auto", "julearn", "multitarget"] = "auto"
    tests: list[Test] = []
    hypotheses: list[Hypothesis] = []
    above_chance: AboveChance | None = None
    fdr: float = Field(default=0.05, gt=0, lt=1)

    @property
    def needs_categories(self) -> bool:
        """Whether something beside the splits needs the category of every stimulus."""
        return self.above_chance is not None and self.above_chance.within is not None

    @model_validator(mode="after")
    def _selectors_name_what_exists(self) -> Encoding:
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
    def _above_chance_is_possible(self) -> Encoding:
        if self.above_chance is None:
            return self
        if not any(abilities(estimator).permute for estimator in self.estimators.values()):
            raise ValueError("above_chance: permuted responses need a ridge with per_target: true among the estimators")
        if self.confounds.table is not None:
            raise ValueError("above_chance: not together with confounds, which would have to be permuted as well")
        if self.above_chance.within is not None and self.stimuli.table is None:
            raise ValueError("above_chance.within: category needs `stimuli: {table: ...}` with categories")
        return self

    @model_validator(mode="after")
    def _estimators_can_join(self) -> Encoding:
        others = [name for name, estimator in self.estimators.items() if not abilities(estimator).banded]
        if others and any(source.join is not None for source in self.features.values()):
            raise ValueError(f"`join` is for ridge, which weighs the sets against each other; take out: {others}")
        return self

    @model_validator(mode="after")
    def _inner_folds_fit(self) -> Encoding:
        n_train = self.splits.least_train  # other kinds of splits are checked when they are made
        for name, estimator in self.estimators.items():
            if n_train is not None and estimator.n_inner_folds > n_train:
                raise ValueError(
                    f"estimators.{name}.cv: {estimator.n_inner_folds} inner folds of {n_train} development stimuli; "
                    f"allowed are 2 to {n_train}, or loo"
                )
        return self


def settle_metric(options: Encoding, repeated: bool) -> Encoding:
    """Replace `metric: auto` by the metric it stands for, also in tests and hypotheses that name none.

    Parameters
    ----------
    options : Encoding
    repeated : bool
        Whether the responses have repetitions.

    Returns
    -------
    Encoding
        As it is run and recorded in provenance.json.

    Raises
    ------
    ConfigError
        See `primary_metric`.
    """
    metric = primary_metric(options.metric, repeated and options.noise_correction != "off")

    def named(entry):
        unnamed = "metric" in type(entry).model_fields and entry.metric is None
        return entry.model_copy(update={"metric": metric}) if unnamed else entry

    entries = {key: [named(entry) for entry in getattr(options, key)] for key in ("tests", "hypotheses")}
    return options.model_copy(update={"metric": metric, **entries})
