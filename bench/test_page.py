"""The page and the pictures of a report, and what its command says."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import results
import summary
from results import Key, Time
from test_report import A, report, times, write


class Tags(HTMLParser):
    """Fails where tags are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    import report as command

    write(tmp_path / "new", report(nndl_fast=3e-6))
    old = write(tmp_path / "old", report())
    command.main([str(tmp_path / "new"), "--no-run", "--against", str(old)])
    text = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert len(tags.sources) == 3  # nothing was measured on several numbers of threads for the fourth
    assert not (tmp_path / "new" / "processors.png").exists()
    assert all(source.startswith("data:image/png;base64,") for source in tags.sources)
    assert "&lt;one&gt;" in text
    losses, first = text.index("Where nndl_fast is slower"), text.index("<li>NumPy at softmax, 10 x 10")
    assert losses < first < text.index("<h2>A whole step")
    assert '<td class="bad">regression</td>' in text
    compared = (tmp_path / "new" / "comparison.md").read_text(encoding="utf-8")
    assert re.search(r"softmax \| 10 x 10 \| nndl_fast \|.* 1\.50 \|.*regression", compared)
    said = capsys.readouterr().out
    assert "|" not in said and summary.sentence(times(nndl_fast=3e-6), []) in said
    assert summary.sentence(times(nndl_fast=3e-6), []) in text
    assert "None" not in text and "1 MiB" in text and text.count("<h2>A whole step") == 1


def test_the_sentence_counts_what_is_slower() -> None:
    said = summary.sentence(times(), [])
    assert "for a whole step of a last layer PyTorch 2.00, NumPy 0.50" in said
    assert said.endswith(
        f"In {2 * len(results.TITLES)} of {4 * len(results.TITLES)} comparisons nndl_fast takes longer."
    )
    company = [
        {"shape": [2, 3, 4], "step nndl_fast": {"median": 1.0}, "step NumPy": {"median": 3.0}},
        {"shape": [5, 6, 7], "step nndl_fast": {"median": 1.0}, "step NumPy": {"median": 0.75}},
    ]
    said = summary.sentence(times(), company)
    assert "for a whole step of a last layer NumPy 1.50;" in said
    rest = len(results.TITLES) - 1
    assert f"In {2 * rest + 1} of {4 * rest + 2} comparisons" in said
    assert "nothing. In 0 of 0" in summary.sentence({}, [])
    training = {
        Key("training 4-3-2", *A, name): Time(s, 0.1, 5) for name, s in (("nndl_fast", 2.0), ("NumPy", 1.0))
    }
    assert summary.sentence(training, []).endswith("In 1 of 1 comparisons nndl_fast takes longer.")


def test_operations_without_peers_have_no_table() -> None:
    alone = {key: time for key, time in times().items() if key.library.startswith("nndl_fast")}
    assert results.compared(alone, []) == []
    assert results.STEP in results.compared(times(), []) and results.STEP not in results.compared(
        times(), [{}]
    )


def test_a_bad_comparison_ends_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    import report as command

    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it measures"))
    with pytest.raises(SystemExit, match=r"other\.json cannot be read"):
        command.main([str(tmp_path / "new"), "--against", str(tmp_path / "other.json")])
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("link", [None, "hardlink_to", "symlink_to"])
def test_the_report_to_compare_with_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str | None
) -> None:
    pytest.importorskip("matplotlib")
    import report as command

    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it measures"))
    old = write(tmp_path / "old", report())
    content, against = old.read_bytes(), old
    if link:
        against = tmp_path / "again.json"
        getattr(against, link)(old)
    with pytest.raises(SystemExit, match=r"report\.json is the report to compare with"):
        command.main([str(tmp_path / "old"), "--against", str(against)])
    assert old.read_bytes() == content and os.listdir(tmp_path / "old") == ["report.json"]


@pytest.mark.parametrize("name", ["report.html", "comparison.md", "softmax.png"])
def test_what_cannot_be_written_is_known_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip("matplotlib")
    import report as command

    monkeypatch.setattr(command, "run", lambda *_: pytest.fail("it measures"))
    (tmp_path / name).mkdir()
    with pytest.raises(SystemExit, match=rf"{re.escape(name)} exists and is not a regular file"):
        command.main([str(tmp_path)])
    assert os.listdir(tmp_path) == [name]


def test_what_a_report_says_is_neither_formula_nor_control(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    import pictures
    import report as command
    from matplotlib.text import Text

    texts = []
    save = matplotlib.figure.Figure.savefig

    def saved(figure: Any, *arguments: Any, **options: Any) -> None:
        save(figure, *arguments, **options)
        texts.extend(figure.findobj(Text))

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    monkeypatch.setattr(pictures, "STYLE", {**pictures.STYLE, "$10%-$20%": ("#000000", "o")})
    measured = times(**{"$10%-$20%": 3e-6})
    for library, seconds in (("nndl_fast", 1.0), ("NumPy", 0.001)):
        measured[Key("training one\x1b[2J", *A, library)] = Time(seconds, 0.01, 5)
    write(tmp_path, {**report(), "times": results.to_records(measured)})
    with matplotlib.rc_context({"axes.formatter.use_mathtext": True}):
        command.main([str(tmp_path), "--no-run"])
    assert "slower: NumPy at training one\\x1b[2J, 10 x 10" in capsys.readouterr().out
    assert any("$10%-$20%" in text.get_text() for text in texts)
    assert not any(text.get_parse_math() for text in texts)
    assert not any("mathdefault" in text.get_text() for text in texts)


def test_a_cell_is_shown_as_it_stands() -> None:
    page = pytest.importorskip("page", exc_type=ImportError)
    cells = [
        "![x](http://example.org/a.png)",
        "a|b",
        "*nndl_fast*",
        "<b>",
        "fit: softmax regression",
        "0.50 slower",
    ]
    html = page.table(summary.Table("T", "N <", ["1", "2", "3", "4", "5", "6"], [cells]))
    assert "<img" not in html and "<em>" not in html and "<b>" not in html and "N &lt;" in html
    shown = re.findall(r"<td[^>]*>(.*)</td>", html)
    assert shown[:3] == cells[:3] and shown[3] == "&lt;b&gt;"
    assert '<td class="bad">0.50 slower' in html and html.count("class=") == 1
