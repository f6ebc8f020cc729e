"""The vectors that generated C is compiled for: the choice of the preprocessor, which is asked once."""

from __future__ import annotations

import re
import shlex

from recurrency.disk.libraries import CompileError

from ..sizes import CHOICE, Vectors
from . import compiler as runtime_compiler

QUESTION = f"{CHOICE}\nrec_answer REC_WIDTH REC_VECTORS\n"
ANSWER = re.compile(r"^rec_answer (\d+) (\d+)$", re.MULTILINE)


def vectors() -> Vectors:
    """The vectors of this machine's compiler with the options of every call.

    Raises:
        CompileError: it does not answer. UsageError: there is no compiler, or the width that is set does not exist.
    """
    command, options = runtime_compiler.compiler(), runtime_compiler.flags()
    known = [options, tuple(word for word in options if word != runtime_compiler.NATIVE)]
    for words in known:  # as `library` does: not every compiler knows this processor
        asked = (*command, *words, "-E", "-P", "-x", "c", "-")
        if found := ANSWER.search(runtime_compiler.said(asked, QUESTION, runtime_compiler.key(QUESTION, asked))):
            return Vectors(int(found[1]), int(found[2]))
    raise CompileError(f"{shlex.join(command)} does not preprocess C, so the width of vectors is unknown")
