"""Pictures of cells: what feeds what, what waits for the next step, and where the recurrences are."""

from recurrency.pictures.picture import Picture as Picture
from recurrency.pictures.picture import draw as draw
