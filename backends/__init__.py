"""The backends that ship with `recurrency`: each turns a program into source text that runs without this package.

None of them is imported by name: they are found through the entry-point group `recurrency.backends`, as a third
party's would be.
"""
