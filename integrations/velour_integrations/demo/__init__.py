"""``velour demo``: which model is best for this need, answered on data that are made or fetched.

The first act is simulated, and labelled so wherever it is shown: :mod:`.lookouts` makes the
ground truth, :mod:`.detectors` the predictions, :mod:`.pictures` the images. The second is real:
:mod:`.spacenet_sample`.
"""

from __future__ import annotations

SIMULATED, SAMPLE = "simulated-fires", "spacenet2-sample"
"""Names of the datasets, and of the MLflow experiments that their runs are in."""
