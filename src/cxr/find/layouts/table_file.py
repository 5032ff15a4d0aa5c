"""CSV, TSV and Parquet files as text: an identifier `00000013` stays what it is."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..._io.text import error_text
from ...errors import ManifestError, UsageError
from ..files import is_image_name

if TYPE_CHECKING:
    import pandas as pd

TEXT_TABLES = (".csv", ".tsv", ".txt", ".csv.gz")
PARQUET = (".parquet", ".pq")
LONGEST_HEADER = 65_536  # bytes
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")
BLANKS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "<NA>"]  # "None" may be a class


def is_table(path: Path) -> bool:
    return path.name.lower().endswith(TEXT_TABLES + PARQUET)


def read_frame(path: Path) -> pd.DataFrame:
    """The table with every cell as text and blanks as NaN.

    The separator is the one that the header line holds most of: comma, semicolon or tab.
    Raises UsageError for a file that is not a table by its name, ManifestError for one that
    cannot be read, has no header or no row.
    """
    if not is_table(path):
        hint = " but an image" if is_image_name(path) else ""
        if path.suffix.lower() in ARCHIVES:
            hint = " but an archive: unpack it first"
        raise UsageError(
            f"{path} is not a table{hint}; give a folder, a .csv, .tsv or .parquet file"
        )
    if path.name.lower().endswith(PARQUET):
        frame = _read_parquet(path)
    else:
        frame = _read_text(path)
    header = [str(column) for column in frame.columns]
    image = next((name for name in header if is_image_name(name)), None)
    if image is not None:
        raise ManifestError(
            f"{path} has no header (its first line names the image {image}); put the column names "
            "into the first line, such as path,label"
        )
    if frame.empty:
        raise ManifestError(f"{path} has a header but no rows; each image needs a row")
    return frame.reset_index(drop=True)


def read_header(path: Path) -> list[str]:
    """The column names of a text table, or nothing where the first line cannot be read."""
    try:
        line = _first_line(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, EOFError):
        return []
    return [cell.strip().strip('"') for cell in line.split(",")]


def _read_text(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it would lose cells
            return pd.read_csv(
                path,
                sep=_separator(path),
                dtype=object,
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=BLANKS,
                index_col=False,
            )
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from error
    except pd.errors.EmptyDataError as error:
        raise ManifestError(f"{path} is empty; it needs a header such as path,label") from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError, OSError, EOFError) as error:
        raise ManifestError(f"{path} cannot be read as a table ({error_text(error)})") from error


def _separator(path: Path) -> str:
    header = _first_line(path)
    return max(",;\t", key=lambda sign: header.count(sign.encode()))


def _first_line(path: Path) -> bytes:
    with path.open("rb") as file:
        zipped = path.name.lower().endswith(".gz")
        return (gzip.GzipFile(fileobj=file) if zipped else file).readline(LONGEST_HEADER)


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd
    import pyarrow

    try:
        frame = pd.read_parquet(path)
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise ManifestError(f"{path} cannot be read as Parquet ({error_text(error)})") from error
    frame.columns = [str(column) for column in frame.columns]
    return frame.apply(_as_text)


def _as_text(values: pd.Series) -> pd.Series:
    """Cells as a CSV would hold them: 1 and 1.0 and True become "1"."""
    import pandas as pd

    kind = pd.api.types
    whole = kind.is_float_dtype(values.dtype) and (values.dropna() % 1 == 0).all()
    if whole or kind.is_bool_dtype(values.dtype):
        values = values.astype("Int64")
    return values.astype(object).map(str, "ignore")
