"""Faults in optimisers, schedules, updates, and in what a run takes up again."""

# ruff: noqa: E501 - a change is easiest to read in one line

from __future__ import annotations

from tests.mutants import Changes

OPTIMISERS = "tests/training/test_optimisers.py"
RESUME = "tests/training/test_resume.py"
TRAINING = "tests/training/test_training.py tests/training/test_command.py tests/training/test_training_options.py"

CHANGES = (
    Changes(
        "recurrency/training/loop/optimisers.py", OPTIMISERS,
        (
            ("momentum uphill", "v *= self.momentum\n        v -= a\n        params += v", "v *= self.momentum\n        v += a\n        params += v"),
            ("Adagrad without delta", "        b += self.delta\n", ""),
            ("Adadelta forgets", "np.add(d, self.epsilon, out=a)", "np.add(0 * d, self.epsilon, out=a)"),
            ("RMSprop of a negative variance", "np.maximum(b, 0, out=b)", "pass"),
            ("RMSprop is not centred", "_average(m, grad, None, self.decay, a)\n            np.multiply(m, m, out=a)", "np.multiply(m, m, out=a)"),
            ("RMSprop without a cap", "if self.cap < math.inf:", "if self.cap < 0:"),
            ("Adam corrects by another rate", "1 / (1 - self.beta2**step)", "1 / (1 - self.beta1**step)"),
            ("Adam does not correct", "self.rate / (1 - self.beta1**step)", "self.rate"),
            ("clipping lengthens", "if length > limit:", "if length != limit:"),
            ("clipping by the inverse", "grad *= limit / length", "grad *= length / limit"),
            ("lengths overflow", "if not math.isfinite(square) and grad.dtype != np.float64:", "if False:"),
            ("values are cut on one side", "np.clip(grad, -limit, limit, out=grad)", "np.clip(grad, None, limit, out=grad)"),
            ("an average of other weights", "np.multiply(x, 1 - keep, out=work)", "np.multiply(x, keep, out=work)"),
        ),
    ),
    Changes(
        "recurrency/training/loop/schedules.py", "tests/training/test_training_options.py",
        (
            ("a step later", "(1 + math.floor((time - self.after) / self.every))", "math.floor((time - self.after) / self.every)"),
            ("half a cosine", "0.5 * (1.0 + math.cos(math.pi * done))", "0.5 * (1.0 + math.cos(0.5 * math.pi * done))"),
            ("no warm-up", "rising = min(1.0, time / self.warmup) if self.warmup > 0 else 1.0", "rising = 1.0"),
        ),
    ),
    Changes(
        "recurrency/training/loop/updates.py", TRAINING,
        (
            ("another penalty", "grad += params.dtype.type(o.l1) * np.sign(params)", "grad += params.dtype.type(o.l1) * params"),
            ("one seed for all steps", "((seed & 0xFFFFFFFF) << 32) | step", "((seed & 0xFFFFFFFF) << 32)"),
            ("the same noise for all batches", "default_rng([self.options.seed, NOISE, batch])", "default_rng([self.options.seed, NOISE, 1])"),
            ("no value is clipped", "if o.clip_value is not None:", "if False:"),
            ("batches count alike", "{kind: count / whole[kind] if count else 0.0", "{kind: 1 / len(found) if count else 0.0", TRAINING + " tests/training/test_cuts.py"),
        ),
    ),
    Changes(
        "recurrency/training/loop/loop.py", RESUME,
        (
            ("the rate of the start", "dataclasses.replace(self.optimiser, rate=snapshot.rate)", "dataclasses.replace(self.optimiser)"),
            ("batches count anew", "dict(snapshot.carried), snapshot.batches", "dict(snapshot.carried), 0"),
            ("carried states are lost", "self.learner.carried, self.learner.batches = dict(snapshot.carried)", "self.learner.carried, self.learner.batches = {}"),
            ("draws begin anew", "self.rng.bit_generator.state = self.drawn", "pass"),
            ("the optimiser forgets", "self.state[name][...] = slot", "pass"),
            ("sums begin anew", "self.number, self.step, self.sums = snapshot.epoch, snapshot.step, snapshot.sums", "self.number, self.step = snapshot.epoch, snapshot.step"),
            ("steps count anew", "self.number, self.step, self.sums = snapshot.epoch, snapshot.step, snapshot.sums", "self.number, self.sums = snapshot.epoch, snapshot.sums"),
            ("the history begins anew", "self.drawn, self.history = snapshot.drawn, snapshot.history", "self.drawn = snapshot.drawn"),
            ("draws of the first epoch", "self.drawn = self.rng.bit_generator.state\n                self.report.epoch(record)", "self.report.epoch(record)"),
            ("patience of one epoch more", "record.number - history.best_epoch >= patience", "record.number - history.best_epoch > patience", TRAINING),
            ("as good is better", "record.valid < best:", "record.valid <= best:", TRAINING),
            ("the best are the last", "history.params = self.params.copy()\n            return True", "history.params = self.params\n            return True", TRAINING),
        ),
    ),
    Changes(
        "recurrency/training/loop/snapshots.py", RESUME,
        (
            ("arrays are not summed", "digest.update(arrays[name].tobytes())", "pass"),
            ("slots have no names", 'slots=_part(arrays, "slot:")', "slots={}"),
            ("other formats are read", 'metadata["format"] != FORMAT or', ""),
        ),
    ),
)  # fmt: skip
