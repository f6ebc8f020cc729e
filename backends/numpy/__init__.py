"""The NumPy backend: a module of NumPy calls that runs without this package."""
