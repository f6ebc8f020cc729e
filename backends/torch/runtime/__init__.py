"""The nn.Module around a generated program; module files that stand alone carry it as text."""
