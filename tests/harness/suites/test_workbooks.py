"""Sheets that openpyxl writes: cells become text as defined, and what a person would see otherwise is named."""

import sys
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from harness.errors import UserError
from harness.suites import workbooks
from harness.suites.tables import Hub, rows_of

HEADER = ("id", "text", "note")


def save(path: Path, *rows: tuple[object, ...], change: Callable[[Workbook, Any], object] = lambda book, sheet: None):
    book = Workbook()
    for row in (HEADER, *rows):
        book.active.append(row)
    change(book, book.active)
    book.save(path)
    return path


def read(path: Path, *columns: str, sheet: str | None = None) -> list[tuple[str, object]]:
    rows = rows_of(str(path), columns, Hub(sheet=sheet))
    return [(row.where, row.problem or tuple(row.cells.values())) for row in rows]


@pytest.mark.parametrize(("value", "shape", "text"), [
    ("007", "General", "007"),
    (" two\nlines ", "General", " two\nlines "),
    (7, "General", "7"),
    (7.0, "0.00", "7"),
    (7, "000", "007"),
    (0.1 + 0.2, "General", "0.3"),
    (1234567.5, "#,##0.00 €", "1234567.5"),
    (123456789012345, "0", "123456789012345"),
    (1e-9, "General", "1e-09"),
    (0.055, "0.0%", "5.5%"),
    (0.07, "0%", "7%"),
    (0.055, "0.0%_);(0.0%)", "5.5%"),
    (0.07, "0 %;[Red]-0 %", "7%"),
    (7, '0.0"% of sales"', "7"),
    (7, "0\\%", "7"),
    (True, "General", "true"),
    (None, "General", ""),
    (date(2026, 1, 31), "dd/mm/yyyy", "2026-01-31"),
    (datetime(2026, 1, 31, 9, 30), "yyyy-mm-dd hh:mm", "2026-01-31 09:30:00"),
    (time(9, 30), "hh:mm", "09:30:00"),
    (timedelta(hours=26, minutes=5), "[h]:mm:ss", "26:05:00"),
    ("=1+1 is a text", "@", "=1+1 is a text"),
])  # fmt: skip
def test_a_cell_becomes_text(tmp_path: Path, value: object, shape: str, text: str) -> None:
    def change(book: Workbook, sheet: Any) -> None:
        sheet["B2"].value, sheet["B2"].number_format = value, shape
        if shape == "@":
            sheet["B2"].data_type = "s"

    path = save(tmp_path / "a.xlsx", ("a", None, "note"), change=change)
    assert read(path, "id", "text") == [("row 2", ("a", text))]


def test_rows_have_their_numbers_in_the_sheet_and_only_named_columns_are_judged(tmp_path: Path) -> None:
    def change(book: Workbook, sheet: Any) -> None:
        sheet.insert_rows(1)
        sheet["C3"] = "=1/0"
        sheet["B6"] = None

    path = save(tmp_path / "a.xlsx", ("a", "one", ""), (None, None, None), ("b", "", "x"), ("c", 2, ""), change=change)
    assert read(path, "id", "text") == [("row 3", ("a", "one")), ("row 5", ("b", "")), ("row 6", ("c", ""))]


def test_a_row_of_spaces_is_blank_as_in_csv(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", (" ", None, None), ("a", "one", ""), (" ", "\n", "\xa0"))
    assert read(path, "id", "text") == [("row 3", ("a", "one"))]


def merge(where: str) -> Callable[[Workbook, Any], object]:
    return lambda book, sheet: sheet.merge_cells(where)


def hide(book: Workbook, sheet: Any) -> None:
    sheet.row_dimensions[3].hidden = True


def write(cell: str, value: object) -> Callable[[Workbook, Any], object]:
    return lambda book, sheet: sheet.__setitem__(cell, value)


@pytest.mark.parametrize(("change", "bad", "said"), [
    (write("B3", "=A3&A2"), ["row 3"], "'text' is a formula without a stored value. Open the file in a spreadsheet"),
    (write("B3", "#N/A"), ["row 3"], "'text' has the error #N/A. Correct it"),
    (merge("B3:B4"), ["row 3", "row 4"], "its cells B3:B4 are merged. Unmerge them, and fill in each one"),
    (merge("A3:B3"), ["row 3"], "its cells A3:B3 are merged"),
    (hide, ["row 3"], "is hidden, by hand or by a filter. Show it, or delete it"),
])  # fmt: skip
def test_a_row_that_looks_otherwise_in_the_sheet_is_named(
    tmp_path: Path, change: Any, bad: list[str], said: str
) -> None:
    rows = [("a", "one", ""), ("b", "two", ""), ("c", "three", ""), ("d", "four", "")]
    found = read(save(tmp_path / "a.xlsx", *rows, change=change), "id", "text")
    assert [where for where, _ in found] == ["row 2", "row 3", "row 4", "row 5"]
    assert [where for where, cells in found if isinstance(cells, str) and said in cells] == bad
    assert sum(isinstance(cells, tuple) for _, cells in found) == 4 - len(bad)


@pytest.mark.parametrize("where", ["B1:C1", "A1:B1"])
def test_a_name_above_two_columns_is_refused_where_one_of_them_is_used(tmp_path: Path, where: str) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", "more"), change=merge(where))
    name = {"B1:C1": "text", "A1:B1": "id"}[where]
    said = (
        rf"a\.xlsx, sheet 'Sheet': the name '{name}' is above several columns, whose cells {where} are merged\. Unmerge"
    )
    with pytest.raises(UserError, match=said):
        read(path, name)


def test_a_name_above_two_columns_that_are_not_used_and_one_over_two_rows_do_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", "more"), change=merge("B1:C1"))
    assert read(path, "id") == [("row 2", ("a",))]
    path = save(tmp_path / "b.xlsx", (None, None, None), ("a", "one", "more"), change=merge("B1:B2"))
    assert read(path, "id", "text") == [("row 3", ("a", "one"))]


def test_merged_cells_and_formulas_in_other_columns_do_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", "=A2"), ("b", "two", "x"), change=merge("C2:C3"))
    assert read(path, "id", "text") == [("row 2", ("a", "one")), ("row 3", ("b", "two"))]


def test_a_formula_has_the_value_that_the_spreadsheet_program_stored(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "=A2&A2", ""))
    store(path, "<v></v>", "<v>aa</v>", 't="str" ')
    assert read(path, "id", "text") == [("row 2", ("a", "aa"))]


def test_a_formula_whose_stored_value_is_an_empty_text_is_an_empty_cell(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", '=IF(A2="a","","x")', ""))
    store(path, "<v></v>", "<v></v>", 't="str" ')
    assert read(path, "id", "text") == [("row 2", ("a", ""))]


def test_a_row_of_which_all_stored_values_are_empty_texts_is_blank(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", (None, '=IF(Z2="","",Z2)', None), ("b", "two", ""))
    assert "without a stored value" in str(read(path, "id", "text")[0][1])
    store(path, "<v></v>", "<v></v>", 't="str" ')
    assert read(path, "id", "text") == [("row 3", ("b", "two"))]


def store(path: Path, empty: str, value: str, kind: str) -> None:
    """Store the value of the formula in B2, as a spreadsheet program does and openpyxl does not."""
    import zipfile

    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"].decode()
    assert empty in sheet or "<v />" in sheet
    sheet = sheet.replace('<c r="B2"', f'<c r="B2" {kind}').replace("<v />", value).replace(empty, value)
    parts["xl/worksheets/sheet1.xml"] = sheet.encode()
    with zipfile.ZipFile(path, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)


def second(book: Workbook, sheet: Any) -> None:
    book.create_sheet("Empty")
    more = book.create_sheet("Two #1")
    more.append(HEADER)
    more.append(("z", "other", ""))


def test_a_sheet_is_chosen_by_name_or_is_the_only_visible_one_with_content(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", ""), change=second)
    with pytest.raises(UserError, match=r"a\.xlsx: has the sheets 'Sheet', 'Two #1'\. Name one with --sheet"):
        read(path, "id")
    assert read(path, "id", sheet="Two #1") == [("row 2", ("z",))]
    assert [row.cells for row in rows_of(f"{path}#Sheet", ["id"], Hub())] == [{"id": "a"}]
    with pytest.raises(UserError, match=r"has no sheet 'Tow'\. It has: 'Sheet', 'Empty', 'Two #1'"):
        read(path, "id", sheet="Tow")
    with pytest.raises(UserError, match=r"the sheet 'Empty' is empty\. Expected the names of the columns"):
        read(path, "id", sheet="Empty")


def test_a_hidden_sheet_is_read_only_by_its_name(tmp_path: Path) -> None:
    def change(book: Workbook, sheet: Any) -> None:
        second(book, sheet)
        sheet.sheet_state = "hidden"

    path = save(tmp_path / "a.xlsx", ("a", "one", ""), change=change)
    assert read(path, "id") == [("row 2", ("z",))]
    assert read(path, "id", sheet="Sheet") == [("row 2", ("a",))]


def hide_content(book: Workbook, sheet: Any) -> None:
    book.create_sheet("Empty")
    sheet.sheet_state = "hidden"


def test_a_workbook_without_visible_content_is_one_line(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", ""), change=hide_content)
    with pytest.raises(UserError, match=r"no visible sheet with content; hidden: 'Sheet' \(name one with --sheet\)"):
        read(path, "id")


@pytest.mark.parametrize(("name", "content", "said"), [
    ("a.xlsx", b"id,text\n", "its content is not that of a .xlsx file. Save it again as .xlsx"),
    ("a.xlsx", b"\xff\xfei\0d\0", "its content is not that of a .xlsx file"),
    ("a.xlsx", workbooks.OLE + b"\xa1\xb1\x1a\xe1" + bytes(600), "has a password, or is an old .xls file"),
    ("a.xlsx", b"", "is empty"),
    ("a.xls", workbooks.OLE, "expected a file that ends in .csv, .*, or hf:.*. Save other sheets as .xlsx"),
])  # fmt: skip
def test_a_file_that_is_not_what_its_name_says_is_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said) as refused:
        read(tmp_path / name, "id")
    assert "\n" not in str(refused.value)


def test_a_column_that_is_not_there_is_named_with_sheet_and_row(tmp_path: Path) -> None:
    path = save(tmp_path / "a.xlsx", ("a", "one", ""), change=lambda book, sheet: sheet.insert_rows(1))
    with pytest.raises(
        UserError, match=r"a\.xlsx, sheet 'Sheet', row 2: no column 'label'\. It has: 'id', 'text', 'no"
    ):
        read(path, "label")


def test_a_document_by_the_name_of_a_workbook_a_cut_and_a_huge_one_are_one_line(
    tmp_path: Path, monkeypatch: Any
) -> None:
    import docx

    docx.Document().save(str(tmp_path / "a.xlsx"))
    with pytest.raises(UserError, match=r"its content is not that of a \.xlsx file"):
        read(tmp_path / "a.xlsx", "id")
    path = save(tmp_path / "b.xlsx", ("a", "one", ""))
    store(path, "<sheetData>", "<sheetData><row", "")
    with pytest.raises(UserError, match=r"b\.xlsx: cannot be read: .*Save it again as .xlsx"):
        read(path, "id")
    monkeypatch.setattr(workbooks, "MOST_BYTES", 1000)
    with pytest.raises(UserError, match=r"b\.xlsx: unpacks to .* kB, expected at most 1.0 kB\. Split the file"):
        read(path, "id")


def test_a_sheet_of_another_file_and_a_missing_package_are_one_line(tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(UserError, match=r"--sheet is for \.xlsx files, and a\.csv is not one"):
        rows_of("a.csv", ["id"], Hub(sheet="One"))
    path = save(tmp_path / "a.xlsx", ("a", "one", ""))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UserError, match=r"needs the package 'openpyxl'.*pip install '\.\[tables\]'"):
        read(path, "id")
