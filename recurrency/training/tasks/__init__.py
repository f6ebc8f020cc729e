"""The tasks that `recurrency train` knows by name: what is learned, and from which data."""

from __future__ import annotations

from collections.abc import Mapping

from recurrency.training.tasks import (
    frames,
    handwriting,
    images,
    labelled,
    marks,
    phrases,
    programs,
    symbols,
    text,
    toys,
    translation,
)
from recurrency.training.tasks.kinds import Kind
from recurrency.training.tasks.task import Feed as Feed
from recurrency.training.tasks.task import Settings as Settings
from recurrency.training.tasks.task import Task as Task
from recurrency.training.tasks.task import from_sequences as from_sequences
from recurrency.training.tasks.toys import first_element as first_element
from recurrency.training.tasks.toys import readme_sample as readme_sample

_MODULES = (toys, marks, symbols, phrases, programs, text, labelled, images, translation, frames, handwriting)

TASKS: Mapping[str, Kind] = {kind.name: kind for module in _MODULES for kind in module.KINDS}
"""The table of tasks; each row is in the module that implements it."""
