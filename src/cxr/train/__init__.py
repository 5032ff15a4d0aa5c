"""The learner, schedules, the learning-rate finder, checkpoints and history."""

from .callbacks import EarlyStopping, EarlyStoppingCallback, SaveBest, SaveModelCallback
from .device import choose_device
from .learner import Learner, cnn_learner, vision_learner
from .metrics import accuracy, auroc, error_rate

__all__ = [
    "EarlyStopping",
    "EarlyStoppingCallback",
    "Learner",
    "SaveBest",
    "SaveModelCallback",
    "accuracy",
    "auroc",
    "choose_device",
    "cnn_learner",
    "error_rate",
    "vision_learner",
]
