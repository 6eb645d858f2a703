"""What is released: the source distribution, the bill of materials in the wheel, the conda recipe."""

import json
import os
import re
import shutil
import subprocess
import tarfile
from importlib.metadata import distribution, metadata, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def sdist(source, folder):
    """The archive that a build backend makes of a folder with the sources."""
    build = pytest.importorskip("scikit_build_core.build")
    before = Path.cwd()
    folder.mkdir()
    os.chdir(source)
    try:
        return folder / build.build_sdist(str(folder))
    finally:
        os.chdir(before)


@pytest.fixture
def sources(tmp_path):
    """Two copies of what belongs to the project, one older, with other permissions and with stray files."""
    folders = tmp_path / "one", tmp_path / "two"
    kept = shutil.ignore_patterns(".git", "build", ".venv", "__pycache__", "*_cache", "dist", "venv*")
    for folder in folders:
        shutil.copytree(ROOT, folder, ignore=kept)
    strays = [
        "stray.txt",
        "nndl_fast/_core.so",
        "tests/left.npz",
        "csrc/kernels/row.h.orig",
        "docs/made/x.md",
        "build/y",
    ]
    for stray in strays:
        path = folders[1] / stray
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    for path in folders[1].rglob("*"):
        os.utime(path, (10**9, 10**9))
        if path.is_file():
            path.chmod(0o600)
    return folders


def test_the_sdist_is_the_same_whatever_lies_beside_the_sources(sources, tmp_path):
    one, two = (sdist(folder, tmp_path / f"dist-{folder.name}") for folder in sources)
    with tarfile.open(one) as first, tarfile.open(two) as second:
        assert first.getnames() == second.getnames()
    assert one.read_bytes() == two.read_bytes()


def test_the_sdist_has_the_files_of_the_repository(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("this is no repository")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tracked = {name for name in listed.splitlines() if not name.startswith((".ci/", ".git"))}
    with tarfile.open(sdist(ROOT, tmp_path / "dist")) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside - {"PKG-INFO"} == tracked


def test_the_wheel_says_what_is_compiled_in():
    [path] = [path for path in distribution("nndl_fast").files if "sboms" in path.parts]
    bill = json.loads(path.read_text())
    assert bill["bomFormat"] == "CycloneDX" and path.name == "nndl_fast.cdx.json"
    assert bill["metadata"]["component"]["version"] == version("nndl_fast")
    parts = {part["name"]: part["version"] for part in bill["components"]}
    assert set(parts) == {"pybind11", "Cython"} and all(
        re.fullmatch(r"\d+(\.\d+)+\S*", v) for v in parts.values()
    )
    known = {part["bom-ref"] for part in [*bill["components"], bill["metadata"]["component"]]}
    assert {ref for row in bill["dependencies"] for ref in [row["ref"], *row["dependsOn"]]} == known


def test_the_readmes_links_lead_out_of_pypi_and_to_files_that_are_there():
    package = metadata("nndl_fast")
    urls = dict(url.split(", ", 1) for url in package.get_all("Project-URL"))
    assert {"Source", "Documentation", "Changelog", "Issues"} <= urls.keys()
    # the header is where newer versions of importlib_metadata have it, if something imports them
    readme = package["Description"] or package.get_payload()
    text = re.sub(r"```.*?```", "", readme, flags=re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert len(links) > 5 and all(link.startswith(("http://", "https://")) for link in links)
    start = re.compile(rf"{urls['Source']}/(raw|blob)/v{re.escape(version('nndl_fast'))}/(.*)")
    own = [start.fullmatch(link) for link in links if link.startswith(urls["Source"])]
    assert len(own) > 4 and all(own)
    for found in own:
        assert (ROOT / found[2]).exists(), found[0]
        assert (found[1] == "raw") == found[2].endswith(".png")


def test_the_conda_recipe_needs_what_the_package_needs():
    yaml = pytest.importorskip("yaml")
    recipe = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text(encoding="utf-8"))
    package = metadata("nndl_fast")
    assert recipe["context"]["version"] == version("nndl_fast")
    assert recipe["about"]["summary"] == package["Summary"]
    assert recipe["about"]["license"] == package["License-Expression"]
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.findall(r'"([^"]+)"', re.search(r"^requires = \[(.*)\]$", project, re.MULTILINE)[1])
    needed += re.findall(r'"([^"]+)"', re.search(r"^dependencies = \[(.*)\]$", project, re.MULTILINE)[1])
    host = {entry.replace(" ", "") for entry in recipe["requirements"]["host"]}
    assert set(needed) <= host
    run = {entry.replace(" ", "") for entry in recipe["requirements"]["run"]}
    assert run == {"python" + package["Requires-Python"], "numpy>=1.26"}
