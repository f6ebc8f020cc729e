"""Diagrams of cells: data flow, delays and recurrences."""

from recurrency.pictures.picture import Picture as Picture
from recurrency.pictures.picture import draw as draw
