"""What the YAML file of a comparison may say, key by key: the options of its question, and how it is run."""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, TypeAdapter, create_model

from ..options import Name
from ..questions.encoding.options import Encoding
from ..questions.question import get_question

# what a comparison asks that names no task
TASK = "encoding"
# of memory: a number, and a unit unless it is of bytes
AMOUNT = re.compile(r"\d+(\.\d+)?\s*[A-Za-z]*")


def memory_bytes(value: Any) -> int:
    """Read an amount of memory, `1 GiB`, `800 MB` or a number of bytes.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        # of a text the type reads the start alone: of `1,5 GiB` the 1
        if isinstance(value, bool) or (isinstance(value, str) and not AMOUNT.fullmatch(value.strip())):
            raise ValueError
        n_bytes = int(TypeAdapter(ByteSize).validate_python(value))
    except ValueError:
        n_bytes = 0
    if n_bytes < 1:
        raise ValueError(f"{value!r} is no amount of memory; give one such as 1 GiB, 800 MB or a number of bytes")
    return n_bytes


Memory = Annotated[int, BeforeValidator(memory_bytes)]
Retries = Annotated[int, Field(ge=0)]


class Comparison(Encoding):
    """A whole comparison, as a file of `julearn_configs/` says it."""

    name: Name
    task: Literal["encoding"] = "encoding"
    # how it is run, which changes no number
    scheduler: str | None = None
    memory_per_worker: Memory | None = None
    worker_retries: Retries = 3


@cache
def comparison_model(task: str = TASK) -> type[Comparison]:
    """Return the model of a comparison with a task: the options of its question, its name, and how it is run.

    Raises
    ------
    ConfigError
        There is no question of that name.
    """
    if task == TASK:
        return Comparison
    options = get_question(task).options
    # for type checkers the models of all questions look alike: what is run needs `Inputs`, `name` and how it is run
    make: Any = create_model
    return make(
        f"{options.__name__}Comparison",
        __base__=options,
        __doc__=f"A whole comparison with the task {task}.",
        name=(Name, ...),
        task=(Literal[task], ...),
        scheduler=(str | None, None),
        memory_per_worker=(Memory | None, None),
        worker_retries=(Retries, 3),
    )
