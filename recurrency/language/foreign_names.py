"""Names and notation of other languages and frameworks, each with its equivalent here: the source of many a `help`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain


def plain(name: str) -> str:
    """A name without capitals and underscores, so that `LeakyReLU` and `leaky_relu_` are equal."""
    return name.replace("_", "").lower()


def _table(rows: Mapping[str, str]) -> dict[str, str]:
    """Each word of the keys with its help."""
    return dict(chain.from_iterable(((word, help) for word in words.split()) for words, help in rows.items()))


SHAPES = "sizes are dimensions of the header: use their names"
RESHAPED = "leave it out: shapes have neither batch nor time, and dimensions of size 1 come by reshape(x, [1, N])"
LAYER = "write W @ x + b, with param W : [H, N] ~ glorot_uniform, or add: use Linear from library"
RECURRENT = "add a line for a cell of the library: use LSTM from library, then LSTM[H](x)"
NOISE = "write noise(x, std): x plus normal noise, drawn in training only"
DEVICE = "leave it out: the compiler handles devices, types and gradients"
DELAY = "the value at the previous step is written with an index: h[t-1]"

NAMES: dict[str, str] = _table({
    # activations
    "lrelu rrelu": "write leaky_relu(x, 0.01): the second argument is the slope below 0",
    "relu6": "write clip(x, 0, 6)",
    "selu": "write 1.0507 * where(x > 0, x, 1.67326 * (exp(x) - 1))",
    "celu": "write elu(x)",
    "mish": "write x * tanh(softplus(x))",
    "swish": "write silu(x)",
    "gelutanh": "write gelu(x)",
    "geluerf": "write gelu_exact(x)",
    "hardtanh": "write clip(x, -1, 1)",
    "hardswish hardsilu": "write x * clip(x / 6 + 0.5, 0, 1)",
    "softsign": "write x / (1 + abs(x))",
    "logsigmoid": "write -softplus(-x)",
    "tanhshrink": "write x - tanh(x)",
    "logistic sigma sigm sig expit sgm logisticsigmoid": "write sigmoid(x), or σ(x)",
    "th tanhyperbolic": "write tanh(x)",
    "rect rectify rectifier ramp": "write relu(x)",
    "step unitstep threshold": "a comparison gives 1 or 0: write x > 0, or where(x > 0, a, b)",
    "glu": "write split(x, 2, 1) * sigmoid(split(x, 2, 2))",
    "softmin": "write softmax(-x)",
    "identityfn id linearactivation": "leave it out",
    # arithmetic
    "pow power": "write x ** y",
    "rsqrt": "write 1 / sqrt(x)",
    "reciprocal": "write 1 / x",
    "inv pinv": "write inverse(A), where A is a constant, or 1 / x of a number",
    "matrixexp expmat": "write expm(A), where A is a constant",
    "neg": "write -x",
    "maximum amax reducemax greatest fmax": "write max(a, b), or max(x) for the largest element of a vector",
    "minimum amin reducemin least fmin": "write min(a, b), or min(x) for the smallest element of a vector",
    "clamp clampmin clampmax clipbyvalue bound saturate": "write clip(x, low, high)",
    "fabs absolute magnitude": "write abs(x)",
    "sinh": "write (exp(x) - exp(-x)) / 2",
    "cosh": "write (exp(x) + exp(-x)) / 2",
    "tan": "write sin(x) / cos(x)",
    "arctan": "write atan(x)",
    "atan2 asin arcsin acos arccos sinc": "there is none; of such functions there are sin, cos, atan and tanh",
    "log2": "write log(x) / log(2)",
    "log10": "write log(x) / log(10)",
    "ln": "write log(x)",
    "exp2": "write 2 ** x",
    "logaddexp": "write a + softplus(b - a)",
    "trunc": "write sign(x) * floor(abs(x))",
    "rint": "write round(x)",
    "gamma lgamma": "there is none; of such functions there are erf, erfc, log1p and expm1",
    "fmod remainder": "write mod(a, b), which has the sign of b",
    "add plus": "write a + b",
    "sub subtract minus": "write a - b",
    "mul multiply times hadamard elementwise": "write a * b",
    "div divide truedivide floordivide": "write a / b",
    "bmm tensordot contract multidot": 'write einsum("ij,j->i", A, x), with a letter for each axis',
    "matmul mm mv gemm product": "write A @ b; for two vectors dot(a, b) or outer(a, b)",
    "inner vdot innerproduct": "write dot(a, b)",
    "ger outerproduct tensorproduct": "write outer(a, b)",
    "sqr squared": "write square(x)",
    "not logicalnot": "write 1 - x",
    "logicaland logicalor": "write a * b for both, max(a, b) for either",
    "eq equal": "write a == b",
    "lt less gt greater": "write a < b",
    # of vectors and matrices
    "cat concatenate hstack vstack stack append join": "write concat(a, b)",
    "chunk tensorsplit unbind unstack unpack": "write split(x, n, k), the k-th of n equal parts, for each of them",
    "narrow indexselect getitem crop head tail": "write slice(x, a, b): elements count from 1, and b is included",
    "gather lookup": "write embed(E, w), with w : index[V]",
    "squeeze unsqueeze expanddims contiguous unfold": RESHAPED,
    "view rearrange": "write reshape(x, [M, D])",
    "flatten ravel": "write reshape(A, [M * D])",
    "expand tile broadcastto repeatinterleave": "write repeat(x, n, axis = 1); a number combines with any shape",
    "swapaxes movedim moveaxis permute": "write transpose(A, 1, 2), which exchanges two axes",
    "t mt trans tr ctranspose adjoint": "write transpose(A)",
    "zeros ones full fill empty constant zeroslike oneslike fulllike": "write the number: it is used for all elements",
    "eye": "write identity(H)",
    "diagonal diagflat diagembed": "write diag(x)",
    "arange linspace range enumerate zip": "a range belongs in a loop: for j in 1..L { ... }",
    "len length size shape numel ndim dim rank": SHAPES,
    "reducesum summation nansum total": "write sum(x)",
    "average avg reducemean nanmean expectation": "write mean(x)",
    "variance": "write var(x)",
    "std stddev": "write sqrt(var(x))",
    "normalize normalise unitnorm": "write x / norm(x)",
    "vectornorm linalgnorm euclidean": "write norm(x)",
    "argmin": "write argmax(-x)",
    "topk sort argsort": "there is none, because it has no gradient: select by the scores outside the model",
    "multinomial onehotcategorical": "write categorical(logits), a one-hot vector",
    "cumprod": "write state s : [N] = 1 and s = s[t-1] * x",
    "prod reduceprod": "write exp(sum(log(x))) where all elements are positive",
    "ifelse ifthenelse cond switch iff select choose": "write where(c, a, b)",
    # time
    "flip reversed fliplr rev": "write reverse(x)",
    "shift delay delayed prev previous lag pre unitdelay tm1 before lasts laststep": DELAY,
    "next": "the value at the next step is written with an index: x[t+1]",
    "scan foldl fold rnnscan whileloop foriloop": "leave it out: equations hold at every step",
    "meanpool avgpool globalaveragepool averagepooling": "write mean_over_time(x)",
    "maxpool globalmaxpool maxpooling": "write max_over_time(x)",
    "integrate odeint": "write the step of the solver, such as h = h[t-1] + 0.1 * dh",
    # randomness
    "randn normal gaussian rand random uniform randnlike gaussiannoise bernoulli": NOISE,
    "reparameterize reparametrize reparameterise rsample": "write sample(x, std), a draw with the mean x",
    "gumbelsoftmax": "write softmax(gumbel(x) / 0.5), with its temperature",
    "alphadropout featuredropout dropout2d spatialdropout recurrentdropout": "write dropout(x, p)",
    # losses
    "mse meansquarederror sse l2distance quadraticloss ssd":
        "write squared_error(y, target), a sum over the elements; divide it by their number for the mean",
    "mae meanabsoluteerror abserror l1distance l1loss": "write absolute_error(y, target), a sum over the elements",
    "rmse": "write sqrt(squared_error(y, target))",
    "bce binaryxent": "write binary_cross_entropy(p, target)",
    "bcewithlogits binarycrossentropywithlogits sigmoidcrossentropy sigmoidcrossentropywithlogits logloss":
        "write binary_cross_entropy(sigmoid(z), target), which is computed from z",
    "nll ce xent crossent softmaxcrossentropy softmaxcrossentropywithlogits sparsecategoricalcrossentropy "
    "categoricalcrossentropy negativeloglikelihood crossentropywithlogits":
        "write cross_entropy(logits, target), of logits before any softmax",
    "huber smoothl1 logcosh": "write sum(where(abs(d) < 1, d * d / 2, abs(d) - 0.5)) with d = y - target",
    "hinge": "write sum(relu(1 - y * target))",
    "kl kldiv kldivergence": "write sum(p * (log(p) - log(q)))",
    "perplexity": "write cross_entropy(logits, target); its exponential is the perplexity",
    "weightdecay l2penalty l2norm l2loss regularizer regularization": "write loss 1e-4 * l2(W)",
    "l1norm": "write l1(x)",
    # layers
    "dense fc fullyconnected affine linearlayer": LAYER,
    "linear": LAYER,
    "embedding embeddinglookup": "write embed(E, w), with param E : [V, N] ~ normal(0, 0.1) and w : index[V]",
    "rnn rnncell simplernn simplernncell elmanrnn lstmcell grucell recurrent": RECURRENT,
    "conv conv1d convolution causalconv1d": "write W_0 @ x + W_1 @ x[t-1], a term for each step that the filter sees",
    "batchnorm batchnorm1d batchnormalization": "equations have no batch; write layer_norm(x)",
    "layernormalization groupnorm instancenorm": "write layer_norm(x)",
    "rmsnormalization": "write rms_norm(x)",
    "attention scaleddotproductattention multiheadattention dotattention softmaxattention":
        "write attend(query, keys, values), of streams over another clock",
    "timedistributed sequential modulelist": "leave it out: equations hold at every step",
    # gradients
    "detach stopgradient nograd": "write stop_grad(x)",
    "gradreverse reversegradient gradientreversal": "write straight_through(x, -x)",
    "clipgradient clipgradnorm gradientclip clipgradients": "write clip_grad(x, 10)",
    "grad gradient backward": "leave it out: gradients are derived from the equations",
    # constants and types
    "π": "write pi",
    "e euler": "write exp(1)",
    "inf infinity nan": "write a large number, such as 1e9; a spec has no infinity",
    "true": "write 1",
    "false": "write 0",
    "none null nil": "leave it out: every name has a value",
    "float double int long half bool cast astype tofloat asarray array tensor": "leave it out: all values are numbers",
    "print assert": "leave it out; recurrency show prints what a cell is, and model streams give every value",
})
"""By `plain` names."""

METHODS: dict[str, str] = _table({
    "cuda cpu to item numpy data requiresgrad clone copy type device dtype weight bias": DEVICE,
})
"""Attributes and methods of tensors, besides `NAMES`."""

MODULES = frozenset(
    "torch np numpy tf tensorflow F nn jax jnp lax flax keras K T theano tt math scipy sp mx mxnet tl layers tnn nnx "
    "functional linalg special activations ops hk eqx paddle cupy cp".split()
)
SELF = frozenset({"self", "this", "cls", "params", "model", "module"})

KEYWORDS: dict[str, str] = _table({
    "def function fun func lambda": "a function is written: fn squash(a, b) = tanh(a) * b",
    "class struct object module model network layer":
        "a cell is written: cell Name[N, H](x: [N]) -> (h: [H]) { ... }",
    "import include require using from": "functions need no import; write for a cell: use LSTM from library",
    "return yield output outputs":
        "leave it out: the header declares the outputs, -> (h: [H]), and each has an equation",
    "let var val float double int auto real vector matrix tensor Tensor array set local global static define":
        "an equation has no keyword: z = W @ x",
    "parameter parameters params weight weights variable trainable bias biases learn":
        "declare a parameter: param W : [H, N] ~ glorot_uniform",
    "input inputs placeholder": "declare inputs in the header, each with its shape: (x: [N])",
    "constant consts": "declare a constant: const A : [H, H] = identity(H)",
    "hidden memory recurrent carry register": "declare a state: state h : [H] = 0",
    "while do repeat until loop foreach":
        "a loop is written for j in 1..L { ... }; time needs no loop: h[t-1] is the value at the previous step",
    "elif elseif elsif then switch case when unless":
        "a condition is written a if j == 1 else b if j == 2 else c; "
        "for a condition on streams write where(c, a, b)",
    "print assert pass raise try with del async end begin done endfor endif fi":
        "leave it out: a cell is a set of equations",
    "is None": "leave it out: every name has a value",
    "dim dims dimension dimensions": "declare dimensions in the header: cell Name[N, H](...)",
    "minimize minimise objective cost criterion": "a loss is written: loss squared_error(y, target)",
})
"""Words that begin a line in other languages."""

OPERATIONS = {"odot": "*", "circ": "*", "ast": "*", "times": "*", "cdot": "*", "otimes": "outer(a, b)", "div": "/"}
LATEX: dict[str, str] = {
    **{word: f"write {sign}" for word, sign in OPERATIONS.items()},
    "times": "write * for an element-wise product, @ for a product of matrices",
    "cdot": "write * for an element-wise product, @ for a product of matrices",
    "sigma": "write sigmoid(x), or σ(x)",
    **_table({
        "frac dfrac tfrac": "write a / b",
        "sqrt": "write sqrt(x)",
        "sum": "write sum(x[i] for i in 1..L)",
        "top intercal transpose mathsf mathsfT": "write transpose(A)",
        "mathbf mathrm mathit mathcal mathbb boldsymbol bm text textbf textrm vec hat tilde bar dot operatorname":
            "write the name alone: W, h_tilde, h_hat",
        "left right big Big bigl bigr quad qquad nonumber label tag": "leave it out",
        "leq le": "write <=",
        "geq ge": "write >=",
        "neq ne": "write !=",
        "in": "write in",
        "to rightarrow": "write ->",
        "leftarrow gets coloneqq": "write =",
        "sim": "write ~",
        "begin end": "leave it out: equations stand one below the other",
        "lVert rVert Vert": "write norm(x)",
        "vert lvert rvert mid": "write abs(x)",
        "ldots dots cdots": "write .. for a range",
        "mathrmd partial nabla": "leave it out: gradients are derived from the equations",
    }),
}
"""LaTeX commands; for any other command the help is its name."""

INITIALISERS: dict[str, str] = _table({
    "xavieruniform variancescaling": "glorot_uniform",
    "xaviernormal": "glorot_normal",
    "xavier glorot": "glorot_uniform or glorot_normal",
    "kaiminguniform": "he_uniform",
    "kaimingnormal  msra": "he_normal",
    "kaiming he": "he_uniform or he_normal",
    "lecun": "lecun_uniform or lecun_normal",
    "gaussian randn randomnormal truncatednormal truncnormal n norm randomgaussian": "normal(0, std)",
    "rand random randomuniform u unif": "uniform(a) for -a to a, or between(a, b)",
    "range": "between(a, b)",
    "eye": "identity",
    "full fill const value": "constant(x)",
    "zero none empty": "zeros",
    "one": "ones",
    "ortho orthonormal qr unitary": "orthogonal",
})
"""The names here, by `plain` names."""

OPTIONS: dict[str, str] = _table({
    "lr learning-rate lrate step-size stepsize eta alpha": "--rate",
    "bs batch-size minibatch batchsize": "--batch",
    "num-epochs n-epochs epoch max-epochs iterations": "--epochs",
    "optim opt solver": "--optimiser",
    "wd weight-decay decay l2-penalty": "--l2",
    "momentum beta1 beta2 eps epsilon rho": "-O NAME=VALUE, such as -O momentum=0.9",
    "grad-clip gradient-clip clip-norm max-grad-norm clip-grad": "--clip",
    "hidden hidden-size hidden-dim units size width dim layers num-layers depth dropout":
        "-D NAME=VALUE, such as -D H=128",
    "model cell arch net rnn": "-D Cell=NAME, or the name of a spec in place of the task",
    "bptt bptt-len truncate tbptt unroll": "--chunk",
    "seq-len sequence-length seqlen steps": "--length",
    "scheduler lr-schedule lr-scheduler": "--schedule",
    "early-stopping early-stop": "--patience",
    "out save save-dir checkpoint-dir logdir log-dir": "--run FOLDER, or --output FILE for the parameters alone",
    "resume load restore": "the folder of the run: recurrency train FOLDER",
    "dataset data-dir data-path train-file": "--data",
    "device gpu cuda cpu": "--backend",
    "precision fp16 fp32 fp64 float32 float64": "--dtype",
    "random-seed rng": "--seed",
    "quiet silent verbose": "--log-form",
})
"""Options of the command line that other programs have."""


def known_as(name: str, known: Iterable[str]) -> str | None:
    """The name of `known` that differs from this one only in capitals and underscores."""
    wanted = plain(name)
    return next((one for one in known if plain(one) == wanted and one != name), None)


def drawn_elsewhere(name: str) -> str | None:
    """The name here for an initialiser of another framework."""
    word = plain(name)
    for ending in ("", "init", "initializer", "initialiser"):
        if word.endswith(ending) and (found := INITIALISERS.get(word.removesuffix(ending))):
            return found
    return None


def said_here(name: str) -> str | None:
    """The help for a name from elsewhere."""
    word = plain(name)
    for ending in ("", "loss", "layer", "fn", "function", "activation", "op"):
        if word.endswith(ending) and (found := NAMES.get(word.removesuffix(ending))):
            return found
    return None
