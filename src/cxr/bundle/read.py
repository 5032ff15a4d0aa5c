"""Reading `model.cxr`: parse, validate, then construct. Nothing in the file can run."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BundleError
from .abstention import AbstentionRules
from .abstention_file import check_fits, read_abstention
from .config import BundleConfig
from .format import CONFIG, GOLDEN, SIMILAR, TRUST, WEIGHTS
from .golden import Golden, read_golden
from .members import read_members, refusing
from .similar import Similar, read_similar

if TYPE_CHECKING:
    from ..backbones import Network


@dataclass(frozen=True)
class Contents:
    """A model file whose parts are each in order; no network is built yet, so no torch is needed.

    `digest` is the SHA-256 of the whole file, as hexadecimal digits.
    """

    path: Path
    digest: str
    config: BundleConfig
    golden: Golden
    abstention: AbstentionRules | None
    similar: Similar | None
    members: Mapping[str, bytes]

    def check(self, logits: np.ndarray, features: np.ndarray, middle: np.ndarray) -> None:
        """What a network makes of the golden images: (n, k), (n, F), (n, M).

        Raises BundleError when the logits are not the ones expected, or the rules for abstaining
        are for other features.
        """
        self.golden.check(logits)
        check_fits(self.abstention, features, middle)


@dataclass(frozen=True)
class Bundle:
    """A verified model file: `network` in evaluation mode and its configuration.

    `abstention` says when the model should abstain; None in files without such rules.
    """

    path: Path
    config: BundleConfig
    network: Network
    abstention: AbstentionRules | None = None
    digest: str = ""


def open_bundle(path: Path | str) -> Contents:
    """Raises UsageError when there is no such file, BundleError with the reason when refused."""
    path = Path(path)
    with refusing(path):
        members = read_members(path)
        config = BundleConfig.from_json(members[CONFIG])
        config.check_locator()
        n = len(config.classes)
        golden = read_golden(members[GOLDEN], config.size, config.classes)
        rules, cases = members.get(TRUST), members.get(SIMILAR)
        abstention = None if rules is None else read_abstention(rules, n, config.multi_label)
        similar = None if cases is None else read_similar(cases, n, config.multi_label)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Contents(path, digest, config, golden, abstention, similar, members)


def read_bundle(path: Path | str) -> Bundle:
    """`open_bundle`, and the network, which is built and tried on the golden images."""
    contents = open_bundle(path)
    with refusing(contents.path):
        network = tested_network(contents)
    return Bundle(contents.path, contents.config, network, contents.abstention, contents.digest)


def tested_network(contents: Contents) -> Network:
    """Raises BundleError when it cannot be built, does not run or gives something else."""
    from ..backbones import logits_and_features_of
    from .network import network_from

    network = network_from(contents.config, contents.members[WEIGHTS])
    try:
        outputs = logits_and_features_of(network, contents.golden.images)
    except Exception as error:  # a backbone that takes no images of this size, too little memory
        raise BundleError(f"self-test failed: the network does not run ({error})") from error
    contents.check(outputs.logits.numpy(), outputs.features.numpy(), outputs.middle.numpy())
    return network
