"""The NumPy backend: a module of NumPy calls that needs nothing of this package."""
