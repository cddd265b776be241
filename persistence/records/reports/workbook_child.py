"""The child process that writes a workbook: a large one is a second of Python.

Run as a program of its own, with no module of the product: the table as JSON on
standard input, the file on standard output.

Input: {"name": …, "rows": [[…], …]}; the first row has the headings.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import Any

import xlsxwriter

WIDTH = 14
"""Characters of a column."""


def written(name: str, rows: list[list[Any]]) -> bytes:
    """The workbook. Texts stay texts: none is taken for a formula or an address."""
    file = io.BytesIO()
    options = {
        "in_memory": True,
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    book = xlsxwriter.Workbook(file, options)
    sheet = book.add_worksheet(name[:31])
    bold = book.add_format({"bold": True})
    sheet.freeze_panes(1, 0)
    sheet.set_column(0, max(map(len, rows), default=1) - 1, WIDTH)
    for line, row in enumerate(rows):
        for column, value in enumerate(row):
            how = bold if line == 0 else None
            if isinstance(value, str):
                sheet.write_string(line, column, value, how)
            elif value is not None:
                sheet.write_number(line, column, value, how)
    book.close()
    return file.getvalue()


if __name__ == "__main__":
    os.nice(10)  # bookings go first
    asked = json.load(sys.stdin)
    sys.stdout.buffer.write(written(asked["name"], asked["rows"]))
