"""A leaderboard of five simulated classifiers of birds: ``python examples/leaderboard.py``."""

import numpy as np

import velour_plugin as velour

SPECIES = ["finch", "heron", "kite", "wren"]
SKILLS = {"alder": 2.2, "birch": 2.1, "cedar": 1.9, "elm": 1.2, "fir": 0.4}
PHOTOS = 160


def evaluate() -> None:
    """Make photos, some harder than others for every classifier, and evaluate the five."""
    random = np.random.default_rng(5)
    truth = random.integers(len(SPECIES), size=PHOTOS)
    hardness = random.normal(size=PHOTOS)
    for model, skill in SKILLS.items():
        logits = random.normal(size=(PHOTOS, len(SPECIES)))
        logits[np.arange(PHOTOS), truth] += skill - hardness
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        names = [SPECIES[number] for number in truth]
        birds = velour.Dataset.from_arrays("birds", names, scores, model=model, labels=SPECIES)
        velour.evaluate(birds, "image-classification")


if __name__ == "__main__":
    evaluate()
    print(velour.rank("accuracy", "birds"))
