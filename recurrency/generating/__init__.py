"""Generation with trained models: text, piano rolls and pen strokes, by sampling, greedily or by beam search."""

from recurrency.generating.choice import Choice as Choice
from recurrency.generating.decoding import Piece as Piece
from recurrency.generating.decoding import generate as generate
from recurrency.generating.folder import Trained as Trained
from recurrency.generating.folder import trained as trained
from recurrency.generating.search import Beam as Beam
