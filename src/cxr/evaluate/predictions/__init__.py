"""The predictions table: what the model said of each image, beside what was true.

One row an image. Columns for one label an image:

    path, label, patient, prob_<class> for each class, predicted, correct, loss, split

and for several labels an image, where a blank `true_<class>` means not known:

    path, true_<class> for each class, patient, prob_<class> for each class, predicted, correct, ...

The order of the `prob_` columns is the order of the classes.
"""

from .classes import positive_class
from .csv_file import read_predictions, write_predictions
from .saved import SavedPredictions, load_predictions
from .table import Predictions, Threshold, cross_entropy, make_predictions

__all__ = [
    "Predictions",
    "SavedPredictions",
    "Threshold",
    "cross_entropy",
    "load_predictions",
    "make_predictions",
    "positive_class",
    "read_predictions",
    "write_predictions",
]
