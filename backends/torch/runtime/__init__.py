"""The nn.Module around a generated program; stand-alone modules include it as text."""
