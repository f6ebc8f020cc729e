"""Data on their way to a model, under one name: what batches are, where files are found and how they are read."""

from recurrency.training.npz import read_npz as read_npz
from recurrency.training.npz import read_ragged as read_ragged
from recurrency.training.places import PLACES as PLACES
from recurrency.training.places import find_data as find_data
from recurrency.training.readers import read_user as read_user
from recurrency.training.sequences import Array as Array
from recurrency.training.sequences import Batch as Batch
from recurrency.training.sequences import Input as Input
from recurrency.training.sequences import InputPort as InputPort
from recurrency.training.sequences import Lengths as Lengths
from recurrency.training.sequences import Sequences as Sequences
from recurrency.training.sequences import batches as batches
from recurrency.training.sequences import pad as pad
