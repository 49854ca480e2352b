"""Autologging: evaluate with pycocotools and scikit-learn as always, rank with Velour.

Two detectors of fires and two classifiers of tumours are evaluated by other libraries, in MLflow
runs. Nothing below mentions Velour between ``velour.autolog()`` and the questions at the end.

    python examples/autologging.py

needs ``pip install pycocotools scikit-learn``, and writes ``velour.db`` and MLflow's own files
where it is started.
"""

from __future__ import annotations

from pathlib import Path

import mlflow

import velour_plugin as velour

FIRES = Path(__file__).parent / "fires"


def detect() -> None:
    """Evaluate two detectors with pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(FIRES / "instances.json"))
    for model in ("day-model", "night-model"):
        with mlflow.start_run(run_name=model):
            evaluation = COCOeval(truth, truth.loadRes(str(FIRES / f"{model}.json")), "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()


def classify() -> None:
    """Score two classifiers of breast tumours: 569 patients, half of them for training."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    rows, truth = load_breast_cancer(return_X_y=True, as_frame=True)
    models = {
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
        "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
    }
    for name, model in models.items():
        with mlflow.start_run(run_name=name):
            model.fit(rows[::2], truth[::2])
            model.score(rows[1::2], truth[1::2])


def main() -> None:
    """Switch autologging on, evaluate, and rank."""
    velour.autolog()
    detect()
    velour.autolog(dataset="tumours")
    classify()
    print(velour.rank("mAP", dataset="instances"))  # a COCO dataset has the name of its file
    print(velour.rank("roc_auc", dataset="tumours"))
    print(velour.rank("roc_auc", dataset="tumours", where='"mean radius" > 14'))


if __name__ == "__main__":
    main()
