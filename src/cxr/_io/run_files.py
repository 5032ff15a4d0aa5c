"""Names of the files in a run folder, `runs/NAME/`, and in a folder of an evaluation.

config.yaml          the settings, resolved
environment.json     versions, machine, commit
manifest.csv         the images and their split
check.json           what `cxr check`, or the quick part of it, found in the data
history.csv          losses and metrics of each epoch
checkpoints/         last and best
predictions_SPLIT.csv
figures/
model.cxr
README.md            the model card
report.html, report.json
metrics.json         written last: where it is, the run is finished
run.lock             held while a process writes here
"""

from __future__ import annotations

CONFIG = "config.yaml"
ENVIRONMENT = "environment.json"
MANIFEST = "manifest.csv"
CHECK = "check.json"
HISTORY = "history.csv"
CHECKPOINTS = "checkpoints"
PREDICTIONS = "predictions_{split}.csv"
ONE_TABLE = "predictions.csv"  # where one split alone was measured
FIGURES = "figures"
MODEL = "model.cxr"
CARD = "README.md"
REPORT = "report.html"
REPORT_JSON = "report.json"
METRICS = "metrics.json"
LOCK = "run.lock"
