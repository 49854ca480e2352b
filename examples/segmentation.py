"""Semantic segmentation: what does it cost to draw a building as a box, or with fewer corners?

Real satellite images (SpaceNet-2, six tiles of Las Vegas and Khartoum, CC-BY-SA 4.0) and a
published model's outlines, evaluated pixel by pixel; without MLflow, in a store alone.
"""

from collections.abc import Callable

import shapely
from velour_integrations.demo.spacenet_sample import fetch

import velour_plugin as velour

SHAPES: dict[str, Callable[[shapely.Polygon], shapely.Polygon]] = {
    "outlines": lambda shape: shape,
    "fewer corners": lambda shape: shape.simplify(5.0),
    "boxes": lambda shape: shape.envelope,
}


def redrawn(dataset: velour.Dataset, model: str) -> velour.Dataset:
    """The predictions with every outline drawn in another way."""
    predictions = [
        velour.Prediction(
            prediction.datum,
            [
                velour.Annotation(
                    outline.labels, polygon=velour.Polygon(SHAPES[model](outline.polygon.shape))
                )
                for outline in prediction.annotations
            ],
        )
        for prediction in dataset.predicted
    ]
    return dataset.with_predictions(predictions, model)


truth, proposals = fetch()
tiles = velour.read_dataset(truth, format="spacenet", name="rooftops")
published = tiles.with_predictions(proposals, model="published")

with velour.open_store() as store:
    for model in SHAPES:
        velour.evaluate(redrawn(published, model), "semantic-segmentation", store=store)
    print(velour.rank("mIoU", dataset="rooftops", store=store))
    print()
    print(velour.compare("boxes", "outlines", metric="mIoU", by="area_of_interest", store=store))
