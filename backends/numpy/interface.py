"""What a user of a generated NumPy module calls: `python.interface`, on arrays of NumPy."""

from __future__ import annotations

ARRAYS = '''

def pack(arrays):
    """The flat vector of parameters that are given by name."""
    _check_names("parameters", arrays, PARAMETERS, PARAMETERS)
    params = np.empty(SIZE, real)
    for name, part in views(params).items():
        part[...] = arrays[name]
    return params


def _array(array, name="params", symbols=None):
    """An array in the dtype of the module; `symbols` is how many there are, if it holds symbols."""
    return np.asarray(array, real if symbols is None else np.int64)


def _host(array):
    return np.asarray(array)


def _zeros(*shape):
    return np.zeros(shape, real)


def _run(function, arguments):
    with np.errstate(all="ignore"):
        return function(**arguments)
'''
