"""What all options have in common, whichever room they belong to."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# names become parts of file names and of labels
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
# numpy's legacy generators take no larger seed
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]


class Options(BaseModel):
    """Options that are checked when they are given: an unknown one is an error, and none can be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)
