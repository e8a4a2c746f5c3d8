"""Parameters as annotated class fields, for junifer 0.0.7 and 0.0.8 alike.

junifer 0.0.8 made markers and data grabbers pydantic models; in 0.0.7 they are plain classes with a constructor.
Classes of this package declare their parameters once, as annotated fields with defaults, and derive from
`ParameterFields` and a junifer base class: on 0.0.8 pydantic does the work, on 0.0.7 `ParameterFields` does the same
with a pydantic model made from the annotations.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, get_origin, get_type_hints

from junifer.markers import BaseMarker
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import ModelPrivateAttr

from auralign.errors import did_you_mean

# True where junifer's own base classes are pydantic models (0.0.8 and later)
JUNIFER_HAS_FIELDS = issubclass(BaseMarker, BaseModel)


@cache
def _parameter_model(cls: type) -> type[BaseModel]:
    """Make the pydantic model that validates the parameters of `cls` (junifer 0.0.7)."""
    fields: dict[str, Any] = {}
    for klass in reversed(cls.__mro__):
        if not issubclass(klass, _EmulatedFields):
            continue
        own = vars(klass).get("__annotations__", {})
        hints = get_type_hints(klass)
        for name in own:
            if name.startswith("_") or get_origin(hints[name]) is ClassVar or hints[name] is ClassVar:
                continue
            fields[name] = (hints[name], getattr(klass, name, ...))
    return create_model(f"{cls.__name__}Parameters", __config__=ConfigDict(extra="forbid"), **fields)


def _explain(cls: type, model: type[BaseModel], error: ValidationError) -> str:
    """Say which parameters of a component are wrong, and which there are."""
    lines = [f"{cls.__name__} was given parameters that it cannot use:"]
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "missing":
            lines.append(f"  {key} is missing")
            continue
        hint = did_you_mean(key, model.model_fields) if problem["type"] == "extra_forbidden" else ""
        lines.append(f"  {key} = {problem.get('input')!r}: {problem['msg']}{'.' if hint else ''}{hint}")
    lines.append(f"Allowed parameters: {', '.join(model.model_fields)}.")
    return "\n".join(lines)


class _EmulatedFields:
    """The constructor that pydantic would give (junifer 0.0.7)."""

    def __init__(self, **parameters: Any) -> None:
        model = _parameter_model(type(self))  # type: ignore[arg-type]  # for mypy no class is hashable
        try:
            values = model(**parameters)
        except ValidationError as error:
            raise ValueError(_explain(type(self), model, error)) from error
        for klass in reversed(type(self).__mro__):
            for name, value in vars(klass).items():
                if isinstance(value, ModelPrivateAttr):
                    factory: Any = value.default_factory
                    setattr(self, name, value.default if factory is None else factory())
        for name in model.model_fields:
            setattr(self, name, getattr(values, name))
        self.init_junifer()

    def init_junifer(self) -> None:
        """Finish construction as junifer's base class wants it; every class of ours that derives from one gives it."""
        raise TypeError(f"{type(self).__name__} does not say how junifer's part of it is made (init_junifer).")


class _NativeFields:
    """Nothing to add: junifer's base class is a pydantic model."""


# type checkers take it for junifer 0.0.7, whose base classes declare nothing
if TYPE_CHECKING or not JUNIFER_HAS_FIELDS:  # noqa: SIM108  (a conditional expression is no class to them)
    ParameterFields = _EmulatedFields
else:
    ParameterFields = _NativeFields


def parameters_of(component: Any) -> dict[str, Any]:
    """Return the parameters that a component was made with, by name."""
    kind = type(component)
    model = kind if JUNIFER_HAS_FIELDS else _parameter_model(kind)  # type: ignore[arg-type]  # as above
    return {name: getattr(component, name) for name in model.model_fields}
