"""Image and tabular classification: answers and scores, scikit-learn's numbers, curves."""
