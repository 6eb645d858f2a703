"""The command line: names of files and names in them are text, in pictures and to a terminal."""

import os

import numpy as np
import pytest

import nndl_fast as nf

pytest.importorskip("click")
pytest.importorskip("matplotlib")

import matplotlib
from commands import assert_refused, run, run_well

from nndl_fast._commands import _evaluation
from nndl_fast._runtime._text import printable

# What clears a screen, sets a title, rings, goes back, turns the direction, ends a line, or is no character.
EVIL = ["\x1b[2J", "\x1b]0;title\x07", "a\bb", "\x9b31m", "\u202eabc", "a\u2028b", "tab\tb", "half\ud800"]
MONEY = ["$10%-$20%", "$x^2$", r"$\frac$", "a_b^c"]


def assert_harmless(result):
    """Of what does not print it has the ends of lines, and the tab of predict."""
    assert result.output.replace("\n", "").replace("\t", "").isprintable(), repr(result.output)


@pytest.mark.parametrize("text", EVIL)
def test_printable_is_what_python_shows(text):
    assert printable(text) == repr(text)[1:-1]
    assert printable(text).isprintable()


@pytest.mark.parametrize(
    "text", ["", "plain", "Straße №5, naïve 日本", r"C:\new\x1b", 'it\'s "quoted"', *MONEY]
)
def test_what_prints_stays_as_it_is(text):
    assert printable(text) == text


def model(path, classes, features=("a", "b")):
    net = nf.Network([len(features), 8, len(classes)], classes=classes, rng=0)
    net.features = features
    net.save(path)
    return net


@pytest.mark.parametrize("text", [text for text in EVIL if "\ud800" not in text])
def test_names_in_a_model_and_in_its_data_are_harmless(tmp_path, text):
    model(tmp_path / "m.npz", [text, "other"], [text, "b"])
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "x.npz", x=rng.standard_normal((30, 2)), y=np.array([text, "other"] * 15))
    for command in (["info"], ["predict", tmp_path / "x.npz"], ["evaluate", tmp_path / "x.npz"]):
        name, *data = command
        result = run_well(name, tmp_path / "m.npz", *data)
        assert_harmless(result)
        assert printable(text) in result.stdout
    np.savez(tmp_path / "u.npz", x=rng.standard_normal((30, 2)), y=np.array([f"{text}?", "other"] * 15))
    result = run("evaluate", tmp_path / "m.npz", tmp_path / "u.npz")
    assert_refused(result, f"label {printable(text)}? in example 0", f"classes are {printable(text)}, other")
    assert_harmless(result)


def test_of_many_classes_the_names_are_harmless_too(tmp_path):
    classes = [f"\x1b{i}" for i in range(30)]
    net = model(tmp_path / "m.npz", classes)
    x = np.random.default_rng(0).standard_normal((60, 2))
    found = _evaluation.evaluate(net, x, np.arange(60) % 30)
    assert all(line.isprintable() for line in _evaluation.lines(found))


ROWS = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(30))


@pytest.mark.parametrize(
    "content, options",
    [
        ("\x1b1,second,kind\n" + ROWS, ["--label", "none"]),
        ("\x1b1,second,kind\n" + ROWS, ["--label", "\x1b9"]),
        ("\x1b1,\x1b1,kind\n" + ROWS, []),
        ("\x1b1,second,kind\n" + ROWS + "inf,1,a\n", []),
        (ROWS.replace("a", "\x1b[2J").replace("b", "\x1b[2J"), []),
        (ROWS + "1,\x1b[2J,a\n", []),
    ],
)
def test_what_is_wrong_with_a_table_is_said_harmlessly(tmp_path, content, options):
    (tmp_path / "t.csv").write_text(content)
    result = run("train", tmp_path / "t.csv", "--output", tmp_path / "m.npz", "--epochs", 1, *options)
    assert_refused(result, tmp_path / "t.csv", r"\x1b")
    assert_harmless(result)


@pytest.mark.skipif(os.name == "nt", reason="there are no such names there")
@pytest.mark.parametrize("text", ["\x1b[2J", "two\nlines", "\u202eabc", "\udcff"])
def test_names_of_files_are_harmless(tmp_path, text):
    folder = tmp_path / text
    folder.mkdir()
    rng = np.random.default_rng(0)
    np.savez(folder / "t.npz", x=rng.standard_normal((40, 2)), y=np.arange(40) % 2)
    (folder / "bad").write_text("no model")
    (folder / "bad.npy").write_text("no array")
    result = run_well("train", folder / "t.npz", "--epochs", 1, "--output", folder / "m.npz")
    assert_harmless(result)
    assert printable(folder / "m.npz") in result.stdout
    for arguments in (
        ["train", folder / "t.npz", "--output", folder / "t.npz"],
        ["train", folder / "t.npz", "--output", folder / "none" / "m.npz"],
        ["train", folder / "t.npz", "--output", folder],
        ["train", folder / "t.npz", "--output", folder / "m.png"],
        ["train", folder / "bad.npy"],
        ["train", folder],
        ["train", folder / "none"],
        ["predict", folder / "bad", folder / "t.npz"],
        ["predict", folder / "m.npz", folder / "bad.npy"],
        ["predict", folder / "m.npz", folder],
        ["evaluate", folder / "m.npz", folder / "none"],
        ["info", folder / "bad"],
        ["info", folder],
        [f"in{text}"],
        ["info", f"--{text}"],
    ):
        result = run(*arguments)
        assert_refused(result)
        assert_harmless(result)


@pytest.fixture
def drawn(monkeypatch):
    """All texts of the pictures that are saved meanwhile."""
    from matplotlib.text import Text

    texts, save = [], matplotlib.figure.Figure.savefig

    def saved(figure, *arguments, **options):
        save(figure, *arguments, **options)
        texts.extend(figure.findobj(Text))

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", saved)
    return texts


@pytest.mark.parametrize("settings", [{}, {"axes.formatter.use_mathtext": True}])
def test_names_in_pictures_are_no_formulas(tmp_path, drawn, settings):
    rng = np.random.default_rng(0)
    labels = np.array([*MONEY, "\x1b[2J"])[np.arange(200) % 5]
    np.savez(tmp_path / "t.npz", x=rng.standard_normal((200, 2)), y=labels)
    with matplotlib.rc_context(settings):
        run_well("train", tmp_path / "t.npz", "--epochs", 1, "--output", tmp_path / "$1$.npz")
        assert matplotlib.rcParams["text.parse_math"]  # others' pictures are as they were
    shown = {text.get_text() for text in drawn}
    assert {*MONEY, r"\x1b[2J"} <= shown and all(text.replace("\n", "").isprintable() for text in shown)
    assert not any(text.get_parse_math() or text.get_usetex() for text in drawn)
    assert not any("mathdefault" in text for text in shown)


def test_titles_of_images_are_no_formulas(tmp_path, drawn):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "t.npz", x=rng.random((200, 64)), y=np.array(MONEY)[np.arange(200) % 4])
    run_well("train", tmp_path / "t.npz", "--epochs", 1, "--output", tmp_path / "m.npz")
    assert any("predicted " in text.get_text() and "$" in text.get_text() for text in drawn)
    assert not any(text.get_parse_math() for text in drawn)


def test_words_of_all_languages_are_left_as_they_are():
    for text in (
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "a\xa0b",
        "\u65e5\u3000\u672c",
        "\U0001f468\u200d\U0001f469",
    ):
        assert printable(text) == text
    for text in ("\x1b", "\x9b", "\u202e", "\u2028", "\x07", "\ud800", "\n"):
        assert printable(text).isascii() and printable(text).isprintable()
