"""Files are written with pydicom; pydicom's own functions say what a viewer would show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing, get_decoder

from cxr.errors import ImageError
from cxr.pixels import is_dicom, load_grey
from cxr.pixels.dicom.display import windowed
from helpers.dicom_data import dicom_dataset, written

RNG = np.random.default_rng(11)
SHAPE = (48, 64)


def grey_of(pixels: np.ndarray, **elements: object) -> np.ndarray:
    return load_grey(written(dicom_dataset(pixels, **elements)))


def values(low: int, high: int, dtype: type = np.uint16) -> np.ndarray:
    """Every part of the range, in a shuffled order."""
    ramp = np.linspace(low, high, SHAPE[0] * SHAPE[1]).round().astype(dtype)
    return RNG.permutation(ramp).reshape(SHAPE)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("low", "high", "dtype", "bits"),
    [
        (0, 255, np.uint8, 8),
        (0, 1023, np.uint16, 10),
        (0, 4095, np.uint16, 12),
        (0, 65535, np.uint16, 16),
        (-2048, 2047, np.int16, 12),
        (-32768, 32767, np.int16, 16),
    ],
)
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(
    low: int, high: int, dtype: type, bits: int, photometric: str, function: str
) -> None:
    dataset = dicom_dataset(
        values(low, high, dtype),
        bits=bits,
        PhotometricInterpretation=photometric,
        WindowCenter=low + (high - low) * 0.4,
        WindowWidth=(high - low) * 0.5,
        VOILUTFunction=function,
    )
    expected = apply_windowing(dataset.pixel_array, dataset)
    bottom, top = (0, 2**bits - 1) if low == 0 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    expected = (expected - bottom) / (top - bottom) * 255
    if photometric == "MONOCHROME1":
        expected = 255 - expected
    assert np.abs(load_grey(written(dataset)) - expected).max() <= 0.51


def test_rescale_comes_before_the_window() -> None:
    pixels = values(0, 4095)
    grey = grey_of(
        pixels, bits=12, RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=3000, WindowWidth=4001
    )
    expected = np.clip((pixels * 2.0 - 1000 - 1000) / 4000, 0, 1) * 255
    assert np.abs(grey - expected).max() <= 0.6


def test_the_first_of_several_windows_counts() -> None:
    pixels = values(0, 4095)
    one = grey_of(pixels, bits=12, WindowCenter=1000, WindowWidth=800)
    many = grey_of(pixels, bits=12, WindowCenter=[1000, 2000], WindowWidth=[800, 4000])
    assert (one == many).all()


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 5, "WindowWidth": 0}])
def test_without_a_window_the_quantiles_decide(window: dict[str, float]) -> None:
    pixels = values(1000, 2000)
    pixels[0, :5] = 60_000  # hot pixels, fewer than 0.5 %
    low, high = np.percentile(pixels, (0.5, 99.5))
    expected = np.clip((pixels - low) / (high - low), 0, 1) * 255
    assert np.abs(grey_of(pixels, **window) - expected).max() <= 1


def test_a_flat_image_is_flat() -> None:
    assert not grey_of(np.full(SHAPE, 700, np.uint16)).any()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_move_the_contrast(photometric: str) -> None:
    pixels = values(1000, 2000)
    inside = grey_of(pixels[:, 16:], PhotometricInterpretation=photometric)
    pixels[:, :16] = 63_000
    pixels[:, :4] = 63_500
    grey = grey_of(
        pixels,
        PhotometricInterpretation=photometric,
        PixelPaddingValue=63_000,
        PixelPaddingRangeLimit=64_000,
    )
    assert not grey[:, :16].any()
    assert (grey[:, 16:] == inside).all()


def test_signed_padding() -> None:
    pixels = values(-1000, 1000, np.int16)
    pixels[:20] = -2000
    grey = grey_of(pixels, PixelPaddingValue=-2000)
    assert not grey[:20].any() and grey[20:].max() == 255


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_colour_is_luma(dtype: type) -> None:
    rgb = RNG.integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    stored = rgb if dtype is np.uint8 else rgb.astype(np.uint16) * 257
    assert (grey_of(stored) == np.asarray(Image.fromarray(rgb).convert("L"))).all()


def test_palette_colour_is_looked_up() -> None:
    path = get_testdata_file("examples_palette.dcm", download=False)
    dataset = pydicom.dcmread(path)
    rgb = pydicom.pixels.apply_color_lut(dataset.pixel_array, dataset) >> 8
    expected = np.asarray(Image.fromarray(rgb.astype(np.uint8)).convert("L"))
    assert expected.max() == 255
    assert (load_grey(path) == expected).all()


@pytest.mark.parametrize(
    "syntax",
    [uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless, uid.ImplicitVRLittleEndian],
)
def test_lossless_compression_does_not_change_the_image(syntax: uid.UID) -> None:
    dataset = dicom_dataset(values(0, 4095), bits=12)
    plain = load_grey(written(dataset))
    if syntax == uid.JPEG2000Lossless:
        dataset.compress(syntax, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    elif syntax == uid.JPEGLSLossless:
        reference = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False))
        plain = load_grey(written(reference))
        dataset = pydicom.dcmread(
            get_testdata_file("MR_small_jpeg_ls_lossless.dcm", download=False)
        )
    elif syntax == uid.RLELossless:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert (load_grey(written(dataset)) == plain).all()


@pytest.mark.parametrize("name", ["MR_small_RLE", "MR_small_bigendian", "MR_small_jp2klossless"])
def test_pydicoms_files_agree_across_transfer_syntaxes(name: str) -> None:
    plain = load_grey(get_testdata_file("MR_small.dcm", download=False))
    assert (load_grey(get_testdata_file(f"{name}.dcm", download=False)) == plain).all()


def test_jpeg_lossless_is_decoded() -> None:
    lossless = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm", download=False))
    assert lossless.file_meta.TransferSyntaxUID == uid.JPEGLosslessSV1
    expected = Image.fromarray(lossless.pixel_array).convert("L")
    assert (load_grey(written(lossless)) == np.asarray(expected)).all()


def test_a_real_chest_has_dark_lungs_and_a_white_spine(shared_data: Path) -> None:
    grey = load_grey(shared_data / "dicom" / "chest_cr_monochrome1_jpeg2000.dcm", 100)
    lungs, spine, air = grey[25:35, 20:35].mean(), grey[60:80, 47:53].mean(), grey[3:6, 2:8].mean()
    assert air < lungs < spine - 50


@pytest.mark.parametrize("name", ["voi_lut", "modality_lut"])
def test_lookup_tables_turn_these_files_into_the_test_pattern(shared_data: Path, name: str) -> None:
    path = shared_data / "dicom" / f"{name}.dcm"
    dataset = pydicom.dcmread(path)
    looked_up = apply_modality_lut(dataset.pixel_array, dataset)
    if name == "voi_lut":
        top = 2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
        expected = apply_voi(looked_up, dataset) / top * 255
    else:
        low, high = np.percentile(looked_up, (0.5, 99.5))
        expected = np.clip((looked_up - low) / (high - low), 0, 1) * 255
    grey = load_grey(path)
    assert np.abs(grey - expected).max() <= 1
    # The SMPTE pattern's grey steps, 0 % to 100 %.
    assert grey[330, 125] == 0 and grey[330, 385] == 255
    assert abs(int(grey[180, 125]) - 0.3 * 255) < 12


def test_float_pixel_data() -> None:
    dataset = dicom_dataset(values(0, 4095))
    floats = np.linspace(-1, 1, SHAPE[0] * SHAPE[1], dtype=np.float32)
    del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
    dataset.BitsAllocated, dataset.FloatPixelData = 32, floats.tobytes()
    grey = load_grey(written(dataset))
    assert grey[0, 0] == 0 and grey[-1, -1] == 255 and abs(int(grey[24, 0]) - 128) <= 1


def test_several_frames_are_refused() -> None:
    with pytest.raises(ImageError, match="holds 3 frames"):
        grey_of(np.zeros(SHAPE, np.uint16), NumberOfFrames=3)


def test_what_is_no_image_is_refused() -> None:
    report = get_testdata_file("test-SR.dcm", download=False)
    with pytest.raises(ImageError, match=r"without an image \(SR"):
        load_grey(report)
    dataset = dicom_dataset(values(0, 255, np.uint8))
    del dataset.Rows
    with pytest.raises(ImageError, match="without Rows and Columns"):
        load_grey(written(dataset))


def test_an_unknown_photometric_interpretation_is_refused() -> None:
    with pytest.raises(ImageError, match="'HSV' is not known"):
        grey_of(values(0, 255, np.uint8), PhotometricInterpretation="HSV")


def test_a_missing_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = get_decoder(uid.JPEG2000Lossless)
    monkeypatch.setattr(decoder, "_available", {})
    monkeypatch.setattr(decoder, "_unavailable", {"pylibjpeg": ("pylibjpeg-openjpeg>=2.0",)})
    with pytest.raises(ImageError, match=r"JPEG 2000 .*install one: .*pylibjpeg-openjpeg"):
        load_grey(get_testdata_file("MR_small_jp2klossless.dcm", download=False))


def test_a_transfer_syntax_without_decoder_is_named() -> None:
    dataset = dicom_dataset(values(0, 255, np.uint8))
    dataset.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0" * 64])
    with pytest.raises(ImageError, match="no decoder exists"):
        load_grey(written(dataset))


def test_bare_data_sets_are_read_by_their_name(tmp_path: Path) -> None:
    dataset = dicom_dataset(values(0, 4095))
    expected = load_grey(written(dataset))
    path = tmp_path / "chest.dcm"
    del dataset.file_meta
    for implicit in (True, False):
        dataset.save_as(path, implicit_vr=implicit, little_endian=True)
        assert path.read_bytes()[128:132] != b"DICM"
        assert (load_grey(path) == expected).all()


def test_is_dicom(tmp_path: Path) -> None:
    nameless = tmp_path / "IM0001"
    nameless.write_bytes(written(dicom_dataset(values(0, 255, np.uint8))))
    assert is_dicom(nameless) and is_dicom("anything.DCM")
    nameless.write_bytes(b"\x89PNG")
    assert not is_dicom(nameless)
    with pytest.raises(ImageError, match="cannot be read"):
        is_dicom(tmp_path / "absent")


def test_a_lookup_table_larger_than_it_says_clips() -> None:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 10]
    item.LUTData = np.arange(4096, dtype="<u2").tobytes()
    grey = grey_of(values(0, 4095), bits=12, VOILUTSequence=[item])
    assert (grey == 255).mean() == pytest.approx(0.75, abs=0.01)


def test_a_window_of_one_is_a_threshold() -> None:
    shown = windowed(np.array([0.0, 4.0, 4.6, 9.0]), 5, 1, "LINEAR")
    assert shown.tolist() == [0, 0, 1, 1]
