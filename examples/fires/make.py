"""Make the small fire dataset of this folder: invented boxes on two dozen invented images.

Twelve images lie within 50 miles of Boston, twelve around Denver; half of each are at night.
``day-model`` detects well by day, ``night-model`` at night.
"""

import csv
import json
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
CITIES = {"Boston": (42.36, -71.03), "Denver": (39.74, -104.99)}


def main() -> None:
    """Write the files anew; the same every time."""
    random = np.random.default_rng(7)
    images, annotations, metadata = [], [], []
    for number in range(24):
        city = "Boston" if number < 12 else "Denver"
        latitude, longitude = np.array(CITIES[city]) + random.uniform(-0.3, 0.3, 2).round(3)
        file_name = f"fire-{number:02}.jpg"
        images.append({"id": number, "file_name": file_name, "height": 480, "width": 640})
        metadata.append(
            {
                "file_name": file_name,
                "latitude": round(float(latitude), 3),
                "longitude": round(float(longitude), 3),
                "time_of_day": "night" if number % 2 else "day",
            }
        )
        for _ in range(int(random.integers(2, 5))):
            x, y, w, h = [
                *random.integers(20, 400, 2).tolist(),
                *random.integers(20, 80, 2).tolist(),
            ]
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": 1,
                 "bbox": [x, y, w, h], "area": w * h, "iscrowd": 0}
            )  # fmt: skip
    categories = [{"id": 1, "name": "fire"}]
    _dump("instances", {"images": images, "categories": categories, "annotations": annotations})
    for model, good_at in (("day-model", "day"), ("night-model", "night")):
        results = []
        for item in annotations:
            skilled = metadata[item["image_id"]]["time_of_day"] == good_at
            jitter = random.normal(0, 0.03 if skilled else 0.12, 4) * (item["bbox"][2:] * 2)
            if random.random() < (0.95 if skilled else 0.7):
                box = (np.array(item["bbox"]) + jitter).round(1).tolist()
                score = round(float(random.uniform(0.5, 0.99)), 2)
                results.append({"image_id": item["image_id"], "category_id": 1,
                                "bbox": box, "score": score})  # fmt: skip
        _dump(model, results)
    with open(HERE / "images.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(metadata[0]))
        writer.writeheader()
        writer.writerows(metadata)


def _dump(name: str, content: object) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
