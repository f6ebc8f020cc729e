"""The vectors that generated C is compiled for: the choice of the preprocessor, which is asked once."""

from __future__ import annotations

import re
import shlex

from recurrency.disk.libraries import CompileError

from ..sizes import CHOICE, Vectors
from . import compiler as runtime_compiler

QUESTION = f"{CHOICE}\nrec_answer REC_WIDTH REC_VECTORS\n"
ANSWER = re.compile(r"^rec_answer (\d+) (\d+)$", re.MULTILINE)


BF16 = """
#if defined(__AVX512BF16__) && REC_WIDTH == 64 && REC_VECTORS
rec_answer 1 1
#else
rec_answer 0 0
#endif
"""


def lacks_bf16() -> str | None:
    """Why products in bf16 can't run here, or None.

    Raises:
        CompileError: the compiler does not answer. UsageError: see `vectors`.
    """
    if _answer(f"{CHOICE}{BF16}")[0]:
        return None
    return "compute=bf16 needs a processor with AVX512-BF16, a compiler that knows it, and vectors of 64 bytes"


def vectors() -> Vectors:
    """The vectors of this machine's compiler with the options of every call.

    Raises:
        CompileError: it does not answer. UsageError: there is no compiler, or the width that is set does not exist.
    """
    return Vectors(*_answer(QUESTION))


def _answer(question: str) -> tuple[int, int]:
    """What the preprocessor makes of a question."""
    command, options = runtime_compiler.compiler(), runtime_compiler.flags()
    known = [options, tuple(word for word in options if word != runtime_compiler.NATIVE)]
    for words in known:  # as `library` does: not every compiler knows this processor
        asked = (*command, *words, "-E", "-P", "-x", "c", "-")
        if found := ANSWER.search(runtime_compiler.said(asked, question, runtime_compiler.key(question, asked))):
            return int(found[1]), int(found[2])
    raise CompileError(f"{shlex.join(command)} does not preprocess C, so its vectors are unknown")
