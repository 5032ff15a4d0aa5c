"""The data sets that `cxr fetch` knows: where they come from, what they show, how to cite them."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import UnknownName


@dataclass(frozen=True)
class DataSet:
    """One public data set.

    `size` (bytes) and `sha256` describe the file at `url`; where they are None a download cannot be
    verified. `splits` are the only folders kept of what arrives, `images` how many they hold.
    """

    name: str
    title: str
    kaggle: str | None  # OWNER/NAME on Kaggle
    url: str | None  # direct download, no account needed
    size: int | None
    sha256: str | None
    splits: tuple[str, ...]
    images: int | None
    license: str
    doi: str
    citation: str
    population: str
    layout: str


KERMANY = DataSet(
    name="kermany",
    title="Chest X-Ray Images (Pneumonia)",
    kaggle="paultimothymooney/chest-xray-pneumonia",
    url=(
        "https://data.mendeley.com/public-files/datasets/rscbjbr9sj/files/"
        "f12eaf6d-6023-432f-acc9-80c9d7393433/file_downloaded"
    ),
    # Mendeley shows neither: these are what three unrelated public projects recorded after
    # downloading ChestXRay2017.zip (version 2 of the data set) from this very address.
    size=1_235_512_464,
    sha256="13efc055629733dbab07877f8b3c9f81097840dbcdaa326a8542322c2281ce36",
    splits=("train", "val", "test"),
    images=5856,
    license="CC-BY-4.0",
    doi="10.17632/rscbjbr9sj.2",
    citation=(
        "Kermany, Zhang, Goldbaum (2018). Labeled Optical Coherence Tomography (OCT) and Chest "
        "X-Ray Images for Classification. Mendeley Data, V2. https://doi.org/10.17632/rscbjbr9sj.2"
    ),
    population=(
        "children of 1 to 5 years at one hospital (Guangzhou Women and Children's Medical Center), "
        "anterior-posterior: a model trained on them says nothing about adults"
    ),
    layout=(
        "train/ and test/ (from Kaggle also val/, 16 images taken out of train/), "
        "each with NORMAL/ and PNEUMONIA/; file names carry the patient"
    ),
)

DATA_SETS: dict[str, DataSet] = {data_set.name: data_set for data_set in (KERMANY,)}


def get_data_set(name: str) -> DataSet:
    """Raises UnknownName, which lists the registered names."""
    try:
        return DATA_SETS[name]
    except KeyError:
        raise UnknownName("data set", name, DATA_SETS) from None
