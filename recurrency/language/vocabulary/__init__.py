"""The functions and initialisers of the language, a row each."""
