"""Resets and masks of generated modules: the functions that take them in, and the text of what takes them."""

from __future__ import annotations

from string import Template

from recurrency.graph.roots import AFTER, RESET
from recurrency.model.export import Export

FLAGS = '''

def _flags(what, clocks, given, steps, batch):
    """Resets or a mask by clock, [T, B] of bools on the host."""
    if not isinstance(given, Mapping):
        if len(clocks) > 1:
            raise ValueError(f"there are the clocks {', '.join(clocks)}: pass {what} for each by name")
        given = dict.fromkeys(clocks, given)
    _check_names("clocks", given, clocks)
    out = {}
    for clock, flags in given.items():
        if flags is not None:
            flags = _host(flags)
            if flags.shape != (steps[clock], batch):
                raise ValueError(f"{what} are {list(flags.shape)}; they must be {[steps[clock], batch]}")
            if not ((flags == 0) | (flags == 1)).all():
                raise ValueError(f"{what} hold other numbers than 0 and 1")
            out[clock] = flags != 0
    return out
'''

RESETS = '''

RESETS = $resets
"""The clocks on which sequences may begin again."""


def _resets(resets, steps, batch$gaps):
    """The resets by clock, [T, B] of 0 and 1; zeros where none are given."""
    found, out = _flags("resets", RESETS, {} if resets is None else resets, steps, batch), {}
    for clock in RESETS:
        flags = found.get(clock, np.zeros((steps[clock], batch), bool))
masks|        late = np.zeros(batch, bool)
masks|        if clock in gaps:
masks|            late, flags = gaps[clock].late(flags), gaps[clock].resets(flags)
masks|        out["reset:after:" + clock] = _array(late)
        out["reset:" + clock] = _array(flags)
    return out
'''

MASKS = '''

MASKS = $masks
"""The clocks on which sequences may have gaps."""


class _Gap:
    """The steps of one clock that are there, [T, B] of bools. Brought together they come first; the rest is padding."""

    def __init__(self, there, ends):
        inside = np.arange(len(there))[:, None] < ends
        self.there = there & inside
        self.lengths, before = self.there.sum(0), np.cumsum(self.there, 0)
        self.rows, self.order = np.arange(there.shape[1]), np.argsort(~self.there, axis=0, kind="stable")
        self.at, self.empty = np.maximum(before - 1, 0), (before == 0) | ~inside
        self.behind = inside & ~self.there & (before == self.lengths)

    def together(self, array):
        """A stream without its gaps."""
        return _host(array)[self.order, self.rows]

    def resets(self, flags):
        """Resets without gaps: one within a gap takes effect at the next step that is there."""
        return np.diff(self.together(np.cumsum(flags, 0)), axis=0, prepend=0) > 0

    def late(self, flags):
        """Which sequences, [B], have a reset after their last step that is there: it is the state that begins again."""
        return (flags & self.behind).any(0)

    def repeated(self, array, nothing):
        """A stream without gaps with its last value repeated in the gaps."""
        out = _host(array)[self.at, self.rows]
        out[self.empty] = nothing
        return out

    def summed(self, array):
        """The adjoint of `repeated`: each step gets what the gap after it got."""
        array = _host(array)
        out = np.zeros(array.shape, array.dtype)
        t, b = np.nonzero(~self.empty)
        np.add.at(out, (self.at[t, b], b), array[t, b])
        return out

    def apart(self, array):
        """The adjoint of `together`: zero in the gaps."""
        array = _host(array)
        out = np.zeros(array.shape, array.dtype)
        out[self.there] = array[self.at, self.rows][self.there]
        return out


def _gaps(mask, lengths, steps, batch):
    """The gaps by clock, and the lengths of the sequences without them."""
    found = _flags("the mask", MASKS, {} if mask is None else mask, steps, batch)
    ends = {clock: np.full(batch, count) for clock, count in steps.items()} | (lengths or {})
    gaps = {clock: _Gap(there, ends[clock]) for clock, there in found.items()}
    return gaps, {**ends, **{clock: gap.lengths for clock, gap in gaps.items()}} if gaps else lengths


def _changed(arrays, ports, gaps, change, prefix=""):
    """Arrays of streams with gaps, changed by `change(gap, array, symbols)`; the others as they are."""
    out = dict(arrays)
    for name, array in arrays.items():
        clock, symbols, _, axes = ports.get(name.removeprefix(prefix), (None, None, (), ""))
        if name.startswith(prefix) and axes == "TB" and clock in gaps:
            out[name] = _array(change(gaps[clock], array, symbols), name, symbols)
    return out


def _together(given, gaps):
    """The inputs without gaps."""
    return _changed(given, INPUTS, gaps, lambda gap, array, symbols: gap.together(array))


def _repeated(outputs, gaps):
    """The outputs repeated in the gaps."""
    return _changed(outputs, OUTPUTS, gaps, lambda gap, x, symbols: gap.repeated(x, 0 if symbols is None else -1))


def _summed(given, gaps):
    """The adjoints of the outputs without gaps."""
    return _changed(given, OUTPUTS, gaps, lambda gap, array, symbols: gap.summed(array), "d:output:")


def _apart(gradients, gaps):
    """The gradients of the inputs, zero in the gaps."""
    return _changed(gradients, INPUTS, gaps, lambda gap, array, symbols: gap.apart(array))
'''


def taken(text: str, export: Export) -> str:
    """A text for a module with the resets and masks that it takes.

    A line that begins with `resets|` or `masks|` is for modules that take them, one with `plain|` for those without
    masks. Words with `$` stand for arguments.
    """
    flags = {"resets": bool(export.resets), "masks": bool(export.masks)}
    kept = {**flags, "plain": not export.masks}
    lines = []
    for line in text.split("\n"):
        word, bar, rest = line.partition("|")
        if not bar or word not in kept:
            lines.append(line)
        elif kept[word]:
            lines.append(rest)
    names = ["resets"] * flags["resets"] + ["mask"] * flags["masks"]
    return Template("\n".join(lines)).substitute(
        parameters="".join(f", {name}=None" for name in names),
        arguments="".join(f", {name}" for name in names),
        of_step=", resets=None" if export.resets else "",
        now=", resets=None if resets is None else _host(resets)[None]" if export.resets else "",
        gaps=", gaps" if export.masks else "",
        resets=ascii(clocks_of(export.resets)),
        masks=ascii(export.masks),
    )


def clocks_of(resets: tuple[str, ...]) -> tuple[str, ...]:
    """The clocks on which there are resets, without those after the last step."""
    return tuple(clock for clock in resets if not AFTER.has(RESET.of(clock)))


def flags_text(export: Export) -> str:
    """The functions that take in resets and masks; "" where a module has none."""
    parts = FLAGS * bool(export.resets or export.masks) + RESETS * bool(export.resets) + MASKS * bool(export.masks)
    return taken(parts, export)
