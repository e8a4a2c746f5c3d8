"""What the YAML file of a comparison may say, key by key: the options of its question, and how it is run."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import create_model

from ..options import Name
from ..questions.encoding.options import Encoding
from ..questions.question import get_question

# what a comparison asks that names no task
TASK = "encoding"


class Comparison(Encoding):
    """A whole comparison, as a file of `julearn_configs/` says it."""

    name: Name
    task: Literal["encoding"] = "encoding"
    scheduler: str | None = None


@cache
def comparison_model(task: str = TASK) -> type[Comparison]:
    """Return the model of a comparison with a task: the options of its question, and `name`, `task`, `scheduler`.

    Raises
    ------
    ConfigError
        There is no question of that name.
    """
    if task == TASK:
        return Comparison
    options = get_question(task).options
    # for type checkers the models of all questions look alike: what is run needs `Inputs`, `name` and `scheduler`
    make: Any = create_model
    return make(
        f"{options.__name__}Comparison",
        __base__=options,
        __doc__=f"A whole comparison with the task {task}.",
        name=(Name, ...),
        task=(Literal[task], ...),
        scheduler=(str | None, None),
    )
