"""Images: the same everywhere, labelled synthetic, diseased where the mask says so."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.stats import chi2_contingency, ks_2samp

from cxr.errors import UsageError
from cxr.find.phantom import (
    NORMAL,
    PNEUMONIA,
    PhantomSpec,
    image_indices,
    lung_mask,
    render_image,
)
from cxr.find.phantom.acquisition import _word, draw_exposure, quantise
from cxr.find.phantom.anatomy import draw_chest
from cxr.find.phantom.disease import Disease, Patch, draw_change
from cxr.find.phantom.fields import canvas
from cxr.find.phantom.lungs import RIGHT
from cxr.find.phantom.patients import draw_build, draw_pose, has_pneumonia

SMALL = PhantomSpec(size=96)

# sha256 of shape and pixels (little endian): they must be these on every machine.
GOLDEN = {
    (0, 0, 8): "d3360b65787a2750e30936dc373f0e41286e6168aa3c0fd3a60da26a5569074d",
    (2, 0, 8): "2f0bfca3634710637590bd6e5703030f490631b9ca7c56cd45fcd988ad3fc1a9",
    (4, 1, 8): "926029a0589fdc991645590883b131175d4de9d6ed6e748153499b558dda29a9",
    (20, 0, 12): "fa247eedcaa51700bfc5cce7a06583c7e36c986e11d83549587f998205f32eb0",
}


@pytest.mark.parametrize("image", GOLDEN)
def test_pixels_are_the_same_on_every_machine(image: tuple[int, int, int]) -> None:
    patient, number, bits = image
    pixels = render_image(patient, number, SMALL, bits=bits).pixels
    stored = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    assert hashlib.sha256(repr(pixels.shape).encode() + stored).hexdigest() == GOLDEN[image]


def test_an_image_does_not_depend_on_the_ones_made_before() -> None:
    alone = render_image(7, 1, SMALL).pixels
    render_image(3, 0, SMALL)
    assert np.array_equal(render_image(7, 1, SMALL).pixels, alone)
    assert image_indices(SMALL, 30) == image_indices(SMALL, 90)[:30]


def test_seed_patient_and_image_each_make_another_image() -> None:
    images = [
        render_image(5, 0, SMALL),
        render_image(5, 1, SMALL),
        render_image(6, 0, SMALL),
        render_image(5, 0, replace(SMALL, seed=1)),
    ]
    assert len({image.pixels.tobytes() for image in images}) == 4


def test_depth_and_shape() -> None:
    image = render_image(1, 0, SMALL)
    deep = render_image(1, 0, SMALL, bits=12)
    assert image.pixels.dtype == np.uint8 and deep.pixels.dtype == np.uint16
    assert image.pixels.shape == image.mask.shape and image.pixels.shape[0] == 96
    assert 0.9 <= image.pixels.shape[1] / 96 <= 1.21
    assert deep.pixels.max() > 255 and deep.pixels.max() <= 4095
    assert np.abs(deep.pixels / 4095 - image.pixels / 255).max() < 0.51 / 255 + 0.51 / 4095


def test_a_larger_image_shows_the_same_patient() -> None:
    small, large = (render_image(2, 0, PhantomSpec(size=size)).pixels for size in (96, 192))
    away_from_text = slice(8, 42)
    first, second = (
        np.asarray(Image.fromarray(pixels).resize((48, 48), Image.Resampling.BOX))[away_from_text]
        for pixels in (small, large)
    )
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.98


def test_anatomy_is_a_chest_seen_from_the_front() -> None:
    """Lungs darker than what lies between and below; the heart to the viewer's right."""
    spec = PhantomSpec(size=128)
    mean = np.mean([_square(render_image(p, 0, spec).pixels) for p in range(24)], axis=0)
    right, left = mean[50:70, 30:48].mean(), mean[50:70, 82:100].mean()
    assert mean[50:70, 60:68].mean() > max(right, left) + 40  # spine and mediastinum
    assert mean[112:124, 40:90].mean() > max(right, left) + 40  # abdomen
    assert mean[84:96, 72:82].mean() > mean[84:96, 46:56].mean() + 15  # heart


def _square(pixels: np.ndarray) -> np.ndarray:
    columns = np.linspace(0, pixels.shape[1] - 1, pixels.shape[0]).round().astype(int)
    return pixels[:, columns]


@pytest.mark.parametrize("patient", range(12))
def test_every_image_carries_the_word(patient: int) -> None:
    image = render_image(patient, 0, PhantomSpec(size=128))
    word = _word("SYNTHETIC", 1)
    strip = image.pixels[128 - 3 - word.shape[0] : 125]
    corner = strip[:, 3 : 3 + word.shape[1]], strip[:, -3 - word.shape[1] : -3]
    assert any(np.all(place[word] == round(0.85 * 255)) for place in corner)


def test_label_severity_finding_and_mask_agree() -> None:
    seen = set()
    for patient in range(40):
        image = render_image(patient, 0, SMALL)
        seen.add(image.label)
        assert (image.label == PNEUMONIA) == has_pneumonia(SMALL, patient)
        assert (image.severity > 0) == (image.label == PNEUMONIA)
        assert (image.finding != "none") == (image.label == PNEUMONIA)
        assert image.mask.any() == (image.label == PNEUMONIA)
    assert seen == {NORMAL, PNEUMONIA}


def test_images_of_a_patient_share_label_finding_sex_age_and_site() -> None:
    spec = replace(SMALL, images_per_patient=(3, 3))
    for patient in range(6):
        images = [render_image(patient, image, spec) for image in range(3)]
        facts = {(f.patient, f.label, f.finding, f.sex, f.age, f.site) for f in images}
        assert len(facts) == 1


@pytest.mark.parametrize("prevalence", [0.0, 0.3, 0.5, 1.0])
def test_prevalence_is_exact_in_each_block(prevalence: float) -> None:
    spec = PhantomSpec(prevalence=prevalence)
    labels = [has_pneumonia(spec, patient) for patient in range(60)]
    assert sum(labels) == round(60 * prevalence)


def test_nothing_about_patient_or_exposure_knows_the_label() -> None:
    spec = PhantomSpec(seed=3)
    patients = range(1200)
    ill = np.array([has_pneumonia(spec, p) for p in patients])
    builds = [draw_build(spec, p) for p in patients]
    sources = (
        builds,
        [draw_pose(spec, p, 0) for p in patients],
        [draw_exposure(spec, p, 0, b.site) for p, b in zip(patients, builds, strict=True)],
    )
    p_values = {}
    for drawn in sources:
        for name, first in vars(drawn[0]).items():
            if isinstance(first, tuple):
                continue
            values = np.array([getattr(d, name) for d in drawn])
            p_values[name] = _p_value(values, ill)
    assert len(p_values) > 25
    assert min(p_values.values()) > 0.05 / len(p_values)  # Bonferroni


def _p_value(values: np.ndarray, ill: np.ndarray) -> float:
    if values.dtype.kind in "Ub":
        kinds = np.unique(values)
        table = [[np.sum((values == k) & (ill == side)) for k in kinds] for side in (0, 1)]
        return float(chi2_contingency(table).pvalue)
    return float(ks_2samp(values[ill], values[~ill]).pvalue)


def test_water_in_the_lung_hides_the_dome_beside_it() -> None:
    """The silhouette sign: a filled base loses the step in density at the diaphragm."""
    grid = canvas(160, 160)
    build = replace(draw_build(SMALL, 0), scar=0.0, nodule=0.0, breast=0.0)
    pose = replace(draw_pose(SMALL, 0, 0), leads=False)
    chest = draw_chest(grid, build, pose, np.random.default_rng(1), np.random.default_rng(2))
    patch = Patch(side=RIGHT, across=0.5, down=0.95, width=0.16, height=0.16, fissure=False)
    disease = Disease(patches=(patch,), severity=1.0)
    change = draw_change(chest, disease, np.random.default_rng(3))
    column = int(np.searchsorted(grid.x[0], -0.2))
    row = int(np.searchsorted(grid.y[:, 0], chest.lungs.floor[0, column]))
    above, below = slice(row - 8, row - 3), slice(row + 3, row + 8)

    def step(air: np.ndarray) -> float:
        image = chest.tissue - air
        return float(image[below, column].mean() - image[above, column].mean())

    assert step(chest.air * (1.0 - change.fill)) < 0.5 * step(chest.air)


def test_more_severe_disease_changes_more_of_the_image() -> None:
    grid = canvas(96, 96)
    rng = np.random.default_rng
    chest = draw_chest(grid, draw_build(SMALL, 1), draw_pose(SMALL, 1, 0), rng(1), rng(2))
    patch = Patch(side=RIGHT, across=0.5, down=0.5, width=0.12, height=0.12, fissure=True)
    for case in (Disease(patches=(patch,)), Disease(effusion=RIGHT), Disease(reticular=0.5)):
        changes = [draw_change(chest, replace(case, severity=s), rng(3)) for s in (0.1, 0.5, 1.0)]
        amounts = [float((c.fill + c.lines).sum()) for c in changes]
        assert 0.0 < amounts[0] < amounts[1] < amounts[2]


def test_quantise_rounds_halves_up_whatever_the_last_digit() -> None:
    half = 100.5 / 255
    nudged = np.nextafter(half, [0.0, 1.0])
    assert len(set(quantise(nudged, 8).tolist())) == 1
    assert quantise(np.array([0.0, 1.0]), 12).tolist() == [0, 4095]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"size": 8}, "64 to 2048"),
        ({"seed": -1}, "seed -1"),
        ({"prevalence": 1.5}, "prevalence 1.5"),
        ({"images_per_patient": (0, 2)}, "images_per_patient"),
    ],
)
def test_spec_out_of_range_is_refused(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        PhantomSpec(**wrong)  # type: ignore[arg-type]


def test_the_lung_mask_lies_where_the_lungs_do() -> None:
    spec = PhantomSpec(size=96)
    for patient, number in image_indices(spec, 12):
        image = render_image(patient, number, spec)
        lungs = lung_mask(patient, number, spec)
        assert lungs.shape == image.pixels.shape and 0.1 < lungs.mean() < 0.5
        assert (
            not (image.mask & ~lungs).any() or (image.mask & lungs).sum() > 0.8 * image.mask.sum()
        )
        from_left = np.maximum.accumulate(lungs, 1)
        from_right = np.maximum.accumulate(lungs[:, ::-1], 1)[:, ::-1]
        between = from_left & from_right & ~lungs  # the heart and the spine
        if image.label == NORMAL:
            assert image.pixels[lungs].mean() < image.pixels[between].mean() - 20
