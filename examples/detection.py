"""Object detection: which detector finds buildings best, and in which city?

Real satellite images (SpaceNet-2, six tiles of Las Vegas and Khartoum, CC-BY-SA 4.0), which
``velour demo`` fetches as well: a published model's proposals, and two ways to use them.
"""

import mlflow
from velour_integrations.demo.spacenet_sample import fetch

import velour_plugin as velour

CITIES = {
    "everywhere": None,
    "within 50 miles of Las Vegas": "DWITHIN(location, POINT(-115.14 36.17), 50, 'mi')",
    "in Khartoum": "area_of_interest LIKE '%Khartoum%'",
}


def surer_than(score: float, dataset: velour.Dataset) -> list[velour.Prediction]:
    """Keep the predictions with at least this score."""
    return [
        velour.Prediction(
            prediction.datum,
            [box for box in prediction.annotations if box.labels[0].score >= score],
        )
        for prediction in dataset.predicted
    ]


truth, proposals = fetch()
tiles = velour.read_dataset(truth, format="spacenet", name="buildings")
everything = tiles.with_predictions(proposals, model="every proposal")
detectors = [
    everything,
    tiles.with_predictions(surer_than(0.3, everything), model="surer than 0.3"),
    tiles.with_predictions(surer_than(0.6, everything), model="surer than 0.6"),
]

mlflow.set_experiment("examples: detection")
for predicted in detectors:
    with mlflow.start_run(run_name=predicted.model):
        mlflow.models.evaluate(
            data=mlflow.data.from_velour(predicted),
            model_type="object-detection",
            evaluators="velour",
            evaluator_config={"parameters": {"iou_type": "box"}},
        )

for city, where in CITIES.items():
    print(f"\n{city}")
    print(velour.rank("mAP", dataset="buildings", where=where))
