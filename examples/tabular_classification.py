"""Tabular classification: which classifier is best for large tumours, and should it be champion?

Real data, which scikit-learn brings: the Wisconsin breast cancer dataset. Two classifiers are
registered and evaluated in MLflow; the better one is promoted if its lead is more than chance.
"""

import mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from velour_integrations.mlflow.registry.promote import promote

import velour_plugin as velour

CLASSIFIERS = {
    "naive Bayes": GaussianNB(),
    "regression": make_pipeline(StandardScaler(), LogisticRegression()),
}

bunch = load_breast_cancer(as_frame=True)
features = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
diagnosis = bunch.target.map(dict(enumerate(map(str, bunch.target_names))))
train, test, truth, known = train_test_split(features, diagnosis, test_size=0.5, random_state=0)

mlflow.set_experiment("examples: tabular classification")
for name, classifier in CLASSIFIERS.items():
    with mlflow.start_run(run_name=name):
        logged = mlflow.sklearn.log_model(
            classifier.fit(train, truth),
            name=name,
            registered_model_name="tumours",
            pip_requirements=["scikit-learn"],
        )
        mlflow.models.evaluate(
            logged.model_uri,
            data=test.assign(diagnosis=known),
            targets="diagnosis",
            model_type="tabular-classification",
            evaluators="velour",
            evaluator_config={"dataset": "tumours", "model": name, "metadata": ["mean_radius"]},
        )

print(velour.rank("accuracy", dataset="tumours"), "\n")
print(velour.rank("accuracy", dataset="tumours", where="mean_radius > 15"), "\n")
mlflow.MlflowClient().set_registered_model_alias("tumours", "champion", "1")
print(promote("tumours", metric="accuracy", dataset="tumours").reason)
