"""The functions and initialisers of the language, one row each."""
