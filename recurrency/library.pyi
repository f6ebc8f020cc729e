"""The shipped cells: `recurrency.library.LSTM`, or by name `recurrency.library.spec("LSTM")`.

Written by `python tools/library_stub.py`.
"""

from recurrency.model.shipped import names as names
from recurrency.model.shipped import near as near
from recurrency.model.shipped import spec as spec
from recurrency.model.spec import Spec

Position: Spec
"""Which step this is, 1, 2, 3 and so on, whatever x is."""

AttentionWindow: Spec
"""The first layer of handwriting synthesis, and its window w on the text (Graves 2013, section 5.1)."""

LuongAttention: Spec
"""Translation with global attention, dot score, input feeding (Luong, Pham & Manning 2015, sections 3.1, 3.3)."""

BahdanauAttention: Spec
"""RNNsearch: translation with additive attention (Bahdanau, Cho & Bengio 2015, section 3 and appendix A)."""

DeepClassifier: Spec
"""L layers of H units, then one unit for each of K kinds (Glorot & Bengio 2010, section 2.3)."""

SymbolClassifier: Spec
"""Which of K kinds a sequence of symbols is (temporal order, Hochreiter & Schmidhuber 1997, section 5.6)."""

FrameClassifier: Spec
"""Which of K kinds each frame is (Graves & Schmidhuber 2005; Sak, Senior & Beaufays 2014)."""

BinaryClassifier: Spec
"""K bits about a sequence (exclusive or, Martens & Sutskever 2011)."""

Classifier: Spec
"""Which of K kinds a sequence is (images pixel by pixel, Le, Jaitly & Hinton 2015, section 4.2)."""

ClockworkRNN: Spec
"""Clockwork RNN with periods 1, 2, 4, ... and M modules of H units (Koutnik et al. 2014)."""

Bidirectional: Spec
"""One cell reads forwards, another backwards; y holds both (Schuster & Paliwal 1997; Graves & Schmidhuber 2005)."""

Residual: Spec
"""L layers that each add to what they read (He, Zhang, Ren & Sun 2016)."""

StackedSkip: Spec
"""L layers that all read x and the layer below, and are all read from above (Graves 2013, section 2)."""

Stacked: Spec
"""L layers, each of which reads the one below (Schmidhuber 1992; Graves, Mohamed & Hinton 2013)."""

QRNN: Spec
"""Quasi-recurrent network, filters of width 2, fo-pooling (Bradbury, Merity, Xiong & Socher 2017), with biases."""

SRU: Spec
"""Simple recurrent unit, gates that read the memory, scaled highway output (Lei et al. 2018)."""

MinLSTM: Spec
"""minLSTM: gates and candidate of the input alone, no output gate (Feng et al. 2024, section 3.2)."""

MinGRU: Spec
"""minGRU: update gate and candidate of the input alone, no reset (Feng et al. 2024, section 3.1)."""

IndRNN: Spec
"""Independently recurrent network: each unit feeds back into itself alone (Li et al. 2018)."""

TimedCfC: Spec
"""Closed-form continuous-time network, one layer of B units below (Hasani et al. 2022)."""

TimedLTC: Spec
"""Liquid time-constant network, fused solver with L steps (Hasani et al. 2021, algorithm 1)."""

ODERNN: Spec
"""ODE-RNN with a GRU, L steps of Euler's method between inputs (Rubanova, Chen & Duvenaud 2019, algorithm 1)."""

TLSTM: Spec
"""Time-aware LSTM, g(dt) = 1 / log(e + dt) (Baytas, Xiao, Zhang, Wang, Jain & Zhou 2017)."""

PhasedLSTM: Spec
"""Phased LSTM without peepholes: updates by the clock of each unit (Neil, Pfeiffer & Liu 2016, section 2)."""

GRUD: Spec
"""GRU-D: missing values and the state decay with time (Che, Purushotham, Cho, Sontag & Liu 2018)."""

FastDropoutMusic: Spec
"""Music with fast dropout of what each layer reads (Bayer et al. 2013); its output bias starts as there."""

FastDropoutRNN: Spec
"""A tanh network with fast dropout: h is the mean of its units, v their variance (Bayer et al. 2013, section 3)."""

FSRNN: Spec
"""Fast-slow RNN of L fast LSTMs and a slow one, FS-LSTM-L (Mujika, Meier & Steger 2017, section 3)."""

LinearAttention: Spec
"""Causal linear attention as a recurrence (Katharopoulos et al. 2020, eq. 16-20, without residual and f)."""

DeltaNet: Spec
"""Fast weights written by the delta rule (Schlag, Irie & Schmidhuber 2021, section 4.2), features elu + 1."""

GatedDeltaNet: Spec
"""Gated delta rule, one head, no convolution (Yang, Kautz & Hatamizadeh 2025, section 3), with Mamba's decay."""

FastWeights: Spec
"""Fast weights that attend to the recent past, layer-normalised (Ba, Hinton, Mnih, Leibo & Ionescu 2016)."""

GLA: Spec
"""Gated linear attention with M heads (Yang, Wang, Shen, Panda & Kim 2024, section 4.4), tau = 16."""

FirstElementAbsolute: Spec
"""The sample run of the first README: recall the first bit at the end, judged by the absolute error."""

FirstElement: Spec
"""The toy task of the README: remember the first of a sequence of bits."""

GatedFeedbackSkip: Spec
"""Gated-feedback RNN with tanh units and connections from x to every layer (Chung et al. 2015)."""

GatedFeedbackLSTM: Spec
"""Gated-feedback LSTM without peepholes, connections from x to every layer (Chung et al. 2015)."""

GatedFeedbackGRU: Spec
"""Gated-feedback GRU, reset after the product, connections from x to every layer (Chung et al. 2015)."""

GatedFeedback: Spec
"""Gated-feedback RNN with tanh units (Chung et al. 2015)."""

GRUAfter: Spec
"""Gated recurrent unit, reset after the product (footnote of Chung et al. 2014, section 3.2)."""

TorchGRU: Spec
"""The GRU of PyTorch, and of Keras with reset_after=True (Cho et al. 2014, section 2.3, in the variant of cuDNN)."""

ChoGRU: Spec
"""Gated recurrent unit, reset before the product, z keeps the old state (Cho et al. 2014, section 2.3)."""

GRU: Spec
"""Gated recurrent unit, reset before the product (Chung et al. 2014, section 3.2)."""

UncoupledRHN: Spec
"""Recurrent highway network with separate transform and carry gates (Zilly et al. 2017)."""

RHN: Spec
"""Recurrent highway network of depth L with coupled gates (Zilly et al. 2017)."""

SkipCharacterModel: Spec
"""The next character by L layers that all read the last one and are all read (Graves 2013, sections 2 and 3)."""

CharacterModel: Spec
"""The next character, from one-hot characters (Sutskever, Martens & Hinton 2011; Graves 2013, section 3)."""

LanguageModel: Spec
"""The next symbol, from embedded symbols (Mikolov et al. 2010; Zaremba, Sutskever & Vinyals 2014)."""

CfC: Spec
"""Closed-form continuous-time network at a steady pace, one layer of B units below (Hasani et al. 2022)."""

LTC: Spec
"""Liquid time-constant network, fused solver with L steps (Hasani et al. 2021, algorithm 1)."""

RGLRU: Spec
"""Real-gated linear recurrent unit (De et al. 2024, section 2.4), c = 8, gates with full matrices."""

LRU: Spec
"""Linear recurrent unit, K complex eigenvalues, in real arithmetic (Orvieto et al. 2023, section 3)."""

PlainLSTM: Spec
"""Long short-term memory without peepholes (Zaremba, Sutskever & Vinyals 2014, section 3.1)."""

FullPeepholeLSTM: Spec
"""LSTM whose gates see all of the memory: peepholes are full matrices (as in the first version of recurrency)."""

CIFG: Spec
"""LSTM with coupled input and forget gates and diagonal peepholes (Greff et al. 2017)."""

LSTM: Spec
"""Long short-term memory with diagonal peepholes (Sak et al. 2014, eq. 1-6)."""

ClippedLSTM: Spec
"""LSTM with the gradients of its pre-activations clipped to -clip .. clip (Graves 2013, section 2.1)."""

RecurrentDropoutLSTM: Spec
"""LSTM with dropout of h[t-1], a new mask at each step (the control of Zaremba, Sutskever & Vinyals 2014)."""

VariationalLSTM: Spec
"""LSTM with variational dropout, one mask a sequence, tied over the gates (Gal & Ghahramani 2016)."""

ZoneoutLSTM: Spec
"""LSTM with zoneout: units keep their old memory or their old output at random (Krueger et al. 2017)."""

MultiplicativeLSTM: Spec
"""Multiplicative LSTM: a recurrent matrix for each input, in factors (Krause, Lu, Murray & Renals 2016)."""

LayerNormLSTM: Spec
"""LSTM with layer normalisation (Ba, Kiros & Hinton 2016, supplementary material)."""

LSTMOutputProjection: Spec
"""LSTM followed by a linear projection that is not fed back (the p of Sak et al. 2014, eq. 13)."""

LSTMPBoth: Spec
"""LSTM with recurrent and non-recurrent projection (Sak et al. 2014, eq. 7-13); y holds r, then p."""

LSTMP: Spec
"""LSTM with a recurrent projection layer (Sak et al. 2014, eq. 7-12)."""

UGRNN: Spec
"""Update-gate RNN (Collins, Sohl-Dickstein & Sussillo 2017)."""

MGU: Spec
"""Minimal gated unit (Zhou, Wu, Zhang & Zhou 2016)."""

Music: Spec
"""Next-step prediction of polyphonic music, keys independent given the past (Chung et al. 2014, section 4.1)."""

MUT3: Spec
"""MUT3: the update gate reads tanh(h) (Jozefowicz, Zaremba & Sutskever 2015)."""

MUT2: Spec
"""MUT2: the reset gate reads the bare input (Jozefowicz, Zaremba & Sutskever 2015)."""

MUT1: Spec
"""MUT1: the update gate reads the input alone (Jozefowicz, Zaremba & Sutskever 2015)."""

MixtureDensity: Spec
"""Bivariate Gaussian mixture and an end-of-stroke bit, with their loss (Graves 2013, section 4.1)."""

MLP: Spec
"""A multilayer perceptron: L hidden layers of H units, then an affine one (Rumelhart, Hinton & Williams 1986)."""

Linear: Spec
"""An affine layer: weights start as in Glorot & Bengio 2010 (eq. 16), biases at zero."""

FrameRegressor: Spec
"""K numbers at each step, by squared error (Elman 1990)."""

Adding: Spec
"""The adding problem: the sum of two marked numbers, at the end (Hochreiter & Schmidhuber 1997, section 5.4)."""

EchoState: Spec
"""Echo state network with leaky units and at most 10 weights into each (Lukosevicius 2012, eq. 2-4)."""

LMU: Spec
"""Legendre memory unit with one memory, zero-order hold (Voelker, Kajic & Eliasmith 2019, eq. 1-7)."""

RWKV7: Spec
"""RWKV-7 time mixing, first layer, M heads of D numbers, gates through R (Peng et al. 2025, eq. 3-17)."""

EncoderDecoder: Spec
"""Encoder and decoder of any cell, the summary c read at each step (after Cho et al. 2014, section 2.2)."""

Translate: Spec
"""Sequence to sequence with a reversed source (Sutskever et al. 2014)."""

IRNN: Spec
"""Rectified linear units with identity recurrence (Le, Jaitly & Hinton 2015, section 2)."""

Jordan: Spec
"""Jordan network: a decaying trace of the outputs is fed back to the hidden units (Jordan 1986)."""

SCRN: Spec
"""Structurally constrained recurrent network, fixed rate (Mikolov, Joulin, Chopra, Mathieu & Ranzato 2015)."""

Elman: Spec
"""Simple recurrent network (Elman 1990, in the notation of Martens & Sutskever 2011, section 2)."""

S6: Spec
"""Selective state-space layer with diagonal A (Gu & Dao 2023, algorithm 2), skip D."""

Mamba: Spec
"""Mamba block: convolution of width 4, S6 and a gate, without residual and norm (Gu & Dao 2023, section 3.4)."""

Mamba2: Spec
"""Mamba-2 block: state-space duality as a recurrence, one group (Dao & Gu 2024, sections 6 and 7.1)."""

Handwriting: Spec
"""Handwriting synthesis: L layers, the first with a window on the text (Graves 2013, section 5)."""

Strokes: Spec
"""Handwriting prediction: L layers that all read the pen and are all read (Graves 2013, section 4)."""

Tagger: Spec
"""Bidirectional LSTM tagger (Graves & Schmidhuber 2005); p are the probabilities of the K tags."""

SummaryTranslator: Spec
"""Sequence to sequence with a source read forwards or backwards (Sutskever, Vinyals & Le 2014)."""

AttentionTranslator: Spec
"""An encoder of both directions, and a decoder with global attention after it (Luong, Pham & Manning 2015)."""

SLSTM: Spec
"""sLSTM, one head, with a sigmoid forget gate (Beck et al. 2024, eq. 8-14, stabilised by eq. 15-17)."""

MLSTM: Spec
"""mLSTM, one head, with a sigmoid forget gate (Beck et al. 2024, eq. 19-27, stabilised by eq. 15-17)."""

MultiHeadSLSTM: Spec
"""sLSTM with M heads, which do not read one another (Beck et al. 2024, section 2.2 and eq. 8-17)."""

MultiHeadMLSTM: Spec
"""mLSTM with M heads, each with a memory and gates of its own (Beck et al. 2024, section 2.3 and eq. 15-27)."""
