"""Tells three species of iris apart by the sizes of their leaves, with scikit-learn's own data."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from srv import MLModel, Output, decode_args
from srv.errors import InvalidInput


class Iris(MLModel):
    """Three outputs under names of their own; ``model-settings.json`` has the metadata that clients may ask for."""

    def load(self) -> bool:
        """Train; it takes a millisecond. A real model would read its weights here."""
        data = load_iris()
        self.classifier = GaussianNB().fit(data.data, data.target)
        self.species = [str(name) for name in data.target_names]
        return True

    @decode_args
    def predict(
        self, measurements: NDArray[np.float64]
    ) -> tuple[
        Annotated[np.ndarray, Output("label")],
        Annotated[np.ndarray, Output("probabilities")],
        Annotated[list[str], Output("species")],
    ]:
        """Return the number of the likeliest species, how likely each one is, and the likeliest's name."""
        if not np.isfinite(measurements).all():
            raise InvalidInput("measurements: expected finite numbers")
        probabilities = self.classifier.predict_proba(measurements)
        labels = probabilities.argmax(axis=1)
        return labels, probabilities.round(3), [self.species[label] for label in labels]
