"""Prediction and evaluation with trained models: outputs, probabilities, inner streams, forecasts, scores."""

from recurrency.predicting.evaluation import Evaluation as Evaluation
from recurrency.predicting.loaded import LoadedRun as LoadedRun
from recurrency.predicting.loaded import load_run as load_run
from recurrency.predicting.predictions import Predictions as Predictions
