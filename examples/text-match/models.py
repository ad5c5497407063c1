"""Says how well each context answers each question, by the words that they share."""

from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from srv import MLModel, decode_args


class TextMatch(MLModel):
    """Cosine similarity of TF-IDF vectors; which words are rare, and so tell much, is learnt from a corpus."""

    def load(self) -> bool:
        """Learn the corpus, one text on each line; ``parameters.uri`` says where it is."""
        corpus = Path(self.settings.parameters.uri).read_text(encoding="utf-8").splitlines()
        self.vectorizer = TfidfVectorizer(stop_words="english").fit(corpus)
        return True

    @decode_args
    def predict(self, questions: list[str], context: list[str]) -> np.ndarray:
        """Return one row for each question, with one score from 0 to 1 for each context."""
        similarity = self.vectorizer.transform(questions) @ self.vectorizer.transform(context).T
        return similarity.toarray().round(3)
