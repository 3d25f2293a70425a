"""The base of all models of a platform file: unknown keys are errors, values are frozen."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A part of a platform file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
