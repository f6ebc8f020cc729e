"""What of a cell is to be seen in a picture: its parts, and what feeds what."""
