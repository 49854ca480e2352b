"""Models described by tags of MLflow runs: ``velour.model.backbone`` is metadata ``backbone``.

The tag ``velour.model.location`` is GeoJSON, or latitude and longitude as in ``[42.36, -71.03]``.
"""

from __future__ import annotations

from velour_plugin import Model, Store
from velour_plugin.errors import BadGeometry, UnknownName
from velour_plugin.plugin import metadata_value, parse_json

PREFIX = "velour.model."


def save_tagged_model(store: Store, run_id: str, name: str) -> None:
    """Store what the tags of a run say of its model, beside what is known of it already.

    Args:
        store: where models are kept.
        run_id: of the run; without such tags nothing is stored.
        name: of the model that was evaluated.

    Raises:
        BadGeometry: the location is none.
    """
    from mlflow import MlflowClient

    tags = MlflowClient().get_run(run_id).data.tags
    described = {
        key.removeprefix(PREFIX): value for key, value in tags.items() if key.startswith(PREFIX)
    }
    if not described:
        return
    try:
        known = store.load_model(name)
    except UnknownName:
        known = Model(name)
    tagged = described.pop("location", None)
    location = known.location if tagged is None else _location(tagged)
    metadata = {key: metadata_value(value) for key, value in described.items()}
    store.save_model(Model(name, {**known.metadata, **metadata}, location))


def _location(text: str) -> object:
    try:
        return parse_json(text, f"tag {PREFIX}location", BadGeometry)
    except BadGeometry as error:
        raise BadGeometry(f"{error} Expected GeoJSON, or [latitude, longitude].") from error
