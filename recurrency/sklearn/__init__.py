"""Estimators for scikit-learn: recurrent networks that classify sequences, or answer with numbers.

    from recurrency.sklearn import RecurrentClassifier

    network = RecurrentClassifier(cell="GRU", hidden=16, epochs=30)
    network.fit(sequences, labels)                # a list of arrays [T_i, N], and a label for each
    network.predict(new)

They take part in `Pipeline`, `GridSearchCV` and `cross_val_score`. Training is that of `recurrency train`.
"""

from recurrency.extras import install

try:
    from recurrency.sklearn.classifier import RecurrentClassifier as RecurrentClassifier
    from recurrency.sklearn.regressor import RecurrentRegressor as RecurrentRegressor
    from recurrency.sklearn.steps import EachStep as EachStep
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise ImportError(f"recurrency.sklearn needs scikit-learn: {install('sklearn')}") from error

__all__ = ["EachStep", "RecurrentClassifier", "RecurrentRegressor"]
