"""Data on its way to a model: files, readers, batches and splits."""

from recurrency.training.data.npz import read_npz as read_npz
from recurrency.training.data.npz import read_ragged as read_ragged
from recurrency.training.data.own import read_user as read_user
from recurrency.training.data.places import PLACES as PLACES
from recurrency.training.data.places import find_data as find_data
from recurrency.training.data.sequences import Array as Array
from recurrency.training.data.sequences import Batch as Batch
from recurrency.training.data.sequences import Input as Input
from recurrency.training.data.sequences import InputPort as InputPort
from recurrency.training.data.sequences import Lengths as Lengths
from recurrency.training.data.sequences import Sequences as Sequences
from recurrency.training.data.sequences import batches as batches
from recurrency.training.data.sequences import pad as pad
