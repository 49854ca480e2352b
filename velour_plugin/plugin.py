"""The names that plugins import, beside the public names of ``velour_plugin``.

A plugin needs ``import velour_plugin``, this module, :mod:`velour_plugin.errors` and, in its tests,
:mod:`velour_plugin.testing`. Velour's own evaluators and integrations keep to that; the modules
behind these names may move. Names load when they are first used, so that importing this is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from velour_plugin.answers import LeaderboardRow as LeaderboardRow
    from velour_plugin.answers.base import TitledAnswer as TitledAnswer
    from velour_plugin.answers.intervals import interval_text as interval_text
    from velour_plugin.answers.plots import bars as bars
    from velour_plugin.cli.options import groups_option as groups_option
    from velour_plugin.cli.options import json_option as json_option
    from velour_plugin.cli.options import label_named as label_named
    from velour_plugin.cli.options import print_result as print_result
    from velour_plugin.cli.options import store_option as store_option
    from velour_plugin.cli.options import where_option as where_option
    from velour_plugin.contracts.autologger import Watch as Watch
    from velour_plugin.contracts.csv_rows import decoded as decoded
    from velour_plugin.contracts.csv_rows import read_csv as read_csv
    from velour_plugin.contracts.formats import Path as Path
    from velour_plugin.contracts.offers import Offer as Offer
    from velour_plugin.contracts.records import Records as Records
    from velour_plugin.contracts.records import read_records as read_records
    from velour_plugin.domain.columns.annotation_table import LabelName as LabelName
    from velour_plugin.domain.columns.annotation_table import is_absent as is_absent
    from velour_plugin.domain.columns.class_arrays import multi_hot as multi_hot
    from velour_plugin.domain.columns.class_codes import as_numpy as as_numpy
    from velour_plugin.domain.columns.class_codes import class_codes as class_codes
    from velour_plugin.domain.columns.class_codes import class_names as class_names
    from velour_plugin.domain.columns.class_codes import is_fractional as is_fractional
    from velour_plugin.domain.columns.class_scores import ONE_SCORE_OF_MANY as ONE_SCORE_OF_MANY
    from velour_plugin.domain.columns.class_scores import checked_scores as checked_scores
    from velour_plugin.domain.columns.class_scores import columns_of_one as columns_of_one
    from velour_plugin.domain.columns.class_scores import ranking_scores as ranking_scores
    from velour_plugin.domain.columns.datum_columns import DatumColumns as DatumColumns
    from velour_plugin.domain.columns.label_arrays import as_label_image as as_label_image
    from velour_plugin.domain.columns.label_images import LabelImageRows as LabelImageRows
    from velour_plugin.domain.columns.label_images import checked_label_image as checked_label_image
    from velour_plugin.domain.columns.label_images import (
        edges_of_label_image as edges_of_label_image,
    )
    from velour_plugin.domain.columns.label_names import class_count as class_count
    from velour_plugin.domain.columns.label_names import numbered_names as numbered_names
    from velour_plugin.domain.columns.label_png import png_header as png_header
    from velour_plugin.domain.columns.label_png import read_label_png as read_label_png
    from velour_plugin.domain.columns.region_column import RegionColumn as RegionColumn
    from velour_plugin.domain.columns.region_column import geometries_of as geometries_of
    from velour_plugin.domain.columns.region_masks import boxes_around as boxes_around
    from velour_plugin.domain.columns.region_masks import check_texts as check_texts
    from velour_plugin.domain.columns.region_masks import decoded_masks as decoded_masks
    from velour_plugin.domain.columns.region_masks import mask_areas as mask_areas
    from velour_plugin.domain.columns.region_masks import masks_or_texts as masks_or_texts
    from velour_plugin.domain.columns.region_masks import rasterised as rasterised
    from velour_plugin.domain.columns.region_masks import with_boxes as with_boxes
    from velour_plugin.domain.columns.rle import Edges as Edges
    from velour_plugin.domain.columns.rle import union_of_edges as union_of_edges
    from velour_plugin.domain.columns.vocabulary import Vocabulary as Vocabulary
    from velour_plugin.domain.encoding.canonical import canonical_json as canonical_json
    from velour_plugin.domain.facts import FactValue as FactValue
    from velour_plugin.domain.geometry import Shape as Shape
    from velour_plugin.domain.inputs.cell_values import parse_flag as parse_flag
    from velour_plugin.domain.inputs.cell_values import parse_number as parse_number
    from velour_plugin.domain.inputs.cell_values import parse_score as parse_score
    from velour_plugin.domain.inputs.cell_values import parse_typed_flag as parse_typed_flag
    from velour_plugin.domain.inputs.cell_values import parse_typed_number as parse_typed_number
    from velour_plugin.domain.inputs.cell_values import parse_typed_score as parse_typed_score
    from velour_plugin.domain.inputs.image_names import ImageNames as ImageNames
    from velour_plugin.domain.inputs.reading import note_read as note_read
    from velour_plugin.domain.inputs.reading import note_repaired as note_repaired
    from velour_plugin.domain.inputs.reading import note_skipped as note_skipped
    from velour_plugin.domain.inputs.reading import note_unmatched as note_unmatched
    from velour_plugin.domain.labels import DEFAULT_KEY as DEFAULT_KEY
    from velour_plugin.domain.labels import class_text as class_text
    from velour_plugin.domain.labels import is_missing as is_missing
    from velour_plugin.domain.ledger import Columns as Columns
    from velour_plugin.domain.ledger import LazyTables as LazyTables
    from velour_plugin.domain.metadata import AREA_UNIT as AREA_UNIT
    from velour_plugin.domain.metadata import PIXELS as PIXELS
    from velour_plugin.domain.metadata import SQUARE_METRES as SQUARE_METRES
    from velour_plugin.domain.metadata import encode_metadata as encode_metadata
    from velour_plugin.domain.models import metadata_value as metadata_value
    from velour_plugin.domain.order import natural_argsort as natural_argsort
    from velour_plugin.domain.order import natural_order as natural_order
    from velour_plugin.evaluator import Conventions as Conventions
    from velour_plugin.evaluator import Deciding as Deciding
    from velour_plugin.evaluator import Explaining as Explaining
    from velour_plugin.evaluator import IntervalMethod as IntervalMethod
    from velour_plugin.evaluator import MetricKey as MetricKey
    from velour_plugin.evaluator import Narrowing as Narrowing
    from velour_plugin.evaluator import ScoredOutcomes as ScoredOutcomes
    from velour_plugin.evaluator import SharesOfDatums as SharesOfDatums
    from velour_plugin.evaluator import value_over as value_over
    from velour_plugin.filters import Node as Node
    from velour_plugin.filters import Where as Where
    from velour_plugin.filters import parse_filter as parse_filter
    from velour_plugin.filters import split_filter as split_filter
    from velour_plugin.filters.interpret import select as select
    from velour_plugin.filters.properties import PropertyFamily as PropertyFamily
    from velour_plugin.helpers.input_files import check_regular as check_regular
    from velour_plugin.helpers.input_files import read_bytes as read_bytes
    from velour_plugin.helpers.json_text import parse_json as parse_json
    from velour_plugin.helpers.limits import limit as limit
    from velour_plugin.helpers.parquet import write_predictions as write_predictions
    from velour_plugin.helpers.paths import is_within as is_within
    from velour_plugin.helpers.progress import track as track
    from velour_plugin.helpers.progress import waiting as waiting
    from velour_plugin.helpers.store_urls import masked_url as masked_url
    from velour_plugin.matching.question import Question as Question
    from velour_plugin.native.coco import CocoRecords as CocoRecords
    from velour_plugin.native.coco import MalformedCoco as MalformedCoco
    from velour_plugin.native.coco import UseJson as UseJson
    from velour_plugin.native.coco import read_counts as read_counts
    from velour_plugin.native.coco import read_polygons as read_polygons
    from velour_plugin.native.coco import read_results as read_results
    from velour_plugin.native.coco import read_truth as read_truth
    from velour_plugin.native.columns import column as column
    from velour_plugin.native.label_edges import LabelPixels as LabelPixels
    from velour_plugin.native.library import Compiled as Compiled
    from velour_plugin.native.library import threads_for as threads_for
    from velour_plugin.native.masks import Masks as Masks
    from velour_plugin.native.masks import Texts as Texts
    from velour_plugin.native.masks import masks_of as masks_of
    from velour_plugin.plugins.installed import installed as installed
    from velour_plugin.queries.fields import Cut as Cut
    from velour_plugin.ranking import answer as answer
    from velour_plugin.ranking.comparing.spending import InterimLook as InterimLook
    from velour_plugin.ranking.comparing.spending import Spending as Spending
    from velour_plugin.ranking.slicing import masks as masks
    from velour_plugin.report.cell_examples import example_uids as example_uids
    from velour_plugin.report.drawing import Drawn as Drawn
    from velour_plugin.report.drawing import drawn as drawn
    from velour_plugin.report.figures import COLOURS as COLOURS
    from velour_plugin.report.figures import RECALLS as RECALLS
    from velour_plugin.report.figures import precision_curves as precision_curves
    from velour_plugin.report.figures import roc_curves as roc_curves
    from velour_plugin.report.findings import Findings as Findings
    from velour_plugin.report.findings import find as find
    from velour_plugin.report.other_models import leaderboard_beside as leaderboard_beside
    from velour_plugin.report.page import report as report
    from velour_plugin.report.rows import label_rows as label_rows
    from velour_plugin.report.rows import slice_rows as slice_rows
    from velour_plugin.report.rows import worst_rows as worst_rows
    from velour_plugin.store import DatumSelection as DatumSelection
    from velour_plugin.store import RunState as RunState
    from velour_plugin.store import Snapshot as Snapshot
    from velour_plugin.store import StoreOpener as StoreOpener
    from velour_plugin.store import StoreTables as StoreTables
    from velour_plugin.store import opened as opened
    from velour_plugin.store.sql.store import SqlStore as SqlStore
    from velour_plugin.use_cases.evaluate import compute as compute
    from velour_plugin.use_cases.evaluate import evaluate_question as evaluate_question
    from velour_plugin.use_cases.evaluate import fixed_filter as fixed_filter
    from velour_plugin.use_cases.evaluate import publish as publish
    from velour_plugin.use_cases.run_states import refresh_runs as refresh_runs
    from velour_plugin.use_cases.tracked_evaluation import TrackedEvaluation as TrackedEvaluation

_NAMES = {
    # Types that plugins offer or receive
    "contracts.autologger": "Watch",
    "evaluator": (
        "Conventions Deciding Explaining IntervalMethod MetricKey Narrowing ScoredOutcomes "
        "SharesOfDatums value_over"
    ),
    "use_cases.evaluate": "compute evaluate_question fixed_filter publish",
    "contracts.formats": "Path",
    "contracts.csv_rows": "decoded read_csv",
    "contracts.records": "Records read_records",
    "domain.inputs.reading": "note_read note_repaired note_skipped note_unmatched",
    "matching.question": "Question",
    "contracts.offers": "Offer",
    "plugins.installed": "installed",
    "store": "DatumSelection RunState Snapshot StoreOpener StoreTables opened",
    "store.sql.store": "SqlStore",
    "use_cases.run_states": "refresh_runs",
    "use_cases.tracked_evaluation": "TrackedEvaluation",
    # Input files
    "helpers.input_files": "check_regular read_bytes",
    "helpers.json_text": "parse_json",
    "helpers.limits": "limit",
    # Values in columns, their encoding and their order
    "domain.encoding.canonical": "canonical_json",
    "domain.inputs.cell_values": (
        "parse_flag parse_number parse_score parse_typed_flag parse_typed_number parse_typed_score"
    ),
    "domain.columns.class_arrays": "multi_hot",
    "domain.columns.class_codes": "as_numpy class_codes class_names is_fractional",
    "domain.columns.class_scores": "ONE_SCORE_OF_MANY checked_scores columns_of_one ranking_scores",
    "domain.columns.datum_columns": "DatumColumns",
    "domain.facts": "FactValue",
    "domain.geometry": "Shape",
    "domain.inputs.image_names": "ImageNames",
    "domain.columns.label_arrays": "as_label_image",
    "domain.columns.label_images": "LabelImageRows checked_label_image edges_of_label_image",
    "domain.columns.label_names": "class_count numbered_names",
    "domain.columns.label_png": "png_header read_label_png",
    "domain.labels": "DEFAULT_KEY class_text is_missing",
    "domain.ledger": "Columns LazyTables",
    "domain.metadata": "AREA_UNIT PIXELS SQUARE_METRES encode_metadata",
    "domain.models": "metadata_value",
    "domain.order": "natural_argsort natural_order",
    "domain.columns.region_column": "RegionColumn geometries_of",
    "domain.columns.region_masks": (
        "boxes_around check_texts decoded_masks mask_areas masks_or_texts rasterised with_boxes"
    ),
    "domain.columns.rle": "Edges union_of_edges",
    "domain.columns.annotation_table": "LabelName is_absent",
    "domain.columns.vocabulary": "Vocabulary",
    # The compiled kernel
    "native.coco": (
        "CocoRecords MalformedCoco UseJson read_counts read_polygons read_results read_truth"
    ),
    "native.columns": "column",
    "native.label_edges": "LabelPixels",
    "native.library": "Compiled threads_for",
    "native.masks": "Masks Texts masks_of",
    # Filters
    "filters": "Node Where parse_filter split_filter",
    "filters.interpret": "select",
    "filters.properties": "PropertyFamily",
    # Rankings and reports
    "answers": "LeaderboardRow",
    "answers.base": "TitledAnswer",
    "answers.intervals": "interval_text",
    "answers.plots": "bars",
    "queries.fields": "Cut",
    "ranking": "answer",
    "ranking.slicing": "masks",
    "ranking.comparing.spending": "InterimLook Spending",
    "report.drawing": "Drawn drawn",
    "report.figures": "COLOURS RECALLS precision_curves roc_curves",
    "report.findings": "Findings find",
    "report.cell_examples": "example_uids",
    "report.other_models": "leaderboard_beside",
    "report.page": "report",
    "report.rows": "label_rows slice_rows worst_rows",
    "helpers.parquet": "write_predictions",
    "helpers.paths": "is_within",
    "helpers.store_urls": "masked_url",
    # Commands
    "cli.options": "groups_option json_option label_named print_result store_option where_option",
    "helpers.progress": "track waiting",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"velour_plugin.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
