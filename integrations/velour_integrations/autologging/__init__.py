"""Autologging: what other libraries measure becomes a Velour evaluation in an MLflow run.

One module knows one library; ``switch`` knows MLflow's autologging, ``recording`` what a run
gets. The libraries themselves are imported by people, never from here.
"""

from __future__ import annotations

from velour_integrations.autologging.faster_coco_eval import AUTOLOGGER as FASTER_COCO_EVAL
from velour_integrations.autologging.mlflow_evaluate import AUTOLOGGER as MLFLOW
from velour_integrations.autologging.pycocotools import AUTOLOGGER as PYCOCOTOOLS
from velour_integrations.autologging.sklearn import AUTOLOGGER as SKLEARN
from velour_integrations.autologging.torchmetrics import AUTOLOGGER as TORCHMETRICS
from velour_integrations.autologging.transformers import AUTOLOGGER as TRANSFORMERS
from velour_integrations.autologging.ultralytics import AUTOLOGGER as ULTRALYTICS

AUTOLOGGERS = (
    PYCOCOTOOLS,
    FASTER_COCO_EVAL,
    TORCHMETRICS,
    ULTRALYTICS,
    TRANSFORMERS,
    SKLEARN,
    MLFLOW,
)
"""Those of Velour's own."""
