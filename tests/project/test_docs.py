"""The documents say what the code does."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from PIL import Image

from app import errors
from app.cli.offline.arguments import add_options
from app.formats.kinds import FILE_LIMITS
from scripts.generate.draw_front import PICTURE, draw_front
from scripts.generate.write_schemas import MODELS, schema
from testkit.root import ROOT


def read(name: str) -> str:
    return (ROOT / name).read_text()


def test_docs_list_every_error_code_with_its_status_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", read("docs/errors.md"), re.MULTILINE)
    raised = {
        error.code: error.status
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, errors.PipelineError)
        if "code" in vars(error)
    }

    assert {code: int(status) for code, status in rows} == raised


def test_the_code_example_of_the_engine_works(tmp_path: Path) -> None:
    lines = re.search(r"^```python\n(.*?)^```", read("docs/engine.md"), re.MULTILINE | re.DOTALL)
    assert lines is not None
    shutil.copy(ROOT / "image.png", tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", lines[1]],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert done.stderr == ""
    assert done.stdout.split() == ["1240", "1754", "150", "writing"]
    with Image.open(tmp_path / "image-bw.png") as page:
        assert (page.mode, page.size) == ("1", (1240, 1754))


def test_each_option_and_limit_of_binarize_is_in_its_page() -> None:
    page = read("docs/binarize.md")
    made = argparse.ArgumentParser(add_help=False)
    add_options(made)
    options = [string for action in made._actions for string in action.option_strings]
    limits = (FILE_LIMITS.max_pixels // 1_000_000, FILE_LIMITS.max_side)

    assert "--force" in options
    assert [option for option in options if f"`{option}" not in page] == ["--out"]  # -o
    assert [f"{limit:,}" for limit in limits if f"{limit:,}" not in page] == []


def test_both_readmes_have_the_same_structure() -> None:
    english, portuguese = read("README.md"), read("README.pt-BR.md")

    assert headings(english) == headings(portuguese)
    assert code_blocks(english) == code_blocks(portuguese)


def headings(text: str) -> list[str]:
    return re.findall(r"^(#+) ", text, re.MULTILINE)


def code_blocks(text: str) -> list[str]:
    """The commands; comments at the end of a line are in the reader's language."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"\s*#.*$", "", block, flags=re.MULTILINE) for block in blocks]


def test_every_command_for_operators_is_explained() -> None:
    explained = set(re.findall(r"^- \*\*`([a-z-]+)`\*\*", read("docs/commands.md"), re.MULTILINE))
    rows = re.findall(r"^#   \./alvura ([a-z-]+) ", read("alvura"), re.MULTILINE)

    others = {"start", "test", "setup", "upload", "binarize", "token"}
    assert explained == set(rows) - others


def test_links_between_documents_have_existing_targets() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    links = {
        (document, target)
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text())
    }

    broken = [f"{d.name}: {target}" for d, target in links if not (d.parent / target).exists()]
    assert links
    assert broken == []


def test_links_to_a_heading_name_one_that_exists() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    anchors = {document.resolve(): anchors_of(document.read_text()) for document in documents}
    links = {
        (document, path, anchor)
        for document in documents
        for path, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", document.read_text())
    }

    broken = [
        f"{document.name}: {path}#{anchor}"
        for document, path, anchor in links
        if anchor not in anchors[(document.parent / path if path else document).resolve()]
    ]
    assert links
    assert broken == []


def anchors_of(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_file_that_a_document_names_is_there() -> None:
    own = "app|benchmarks|scripts|static|templates|testkit|tests|translations"
    folders = f"{own}|deploy|docs|requirements"
    named = {
        (document.name, path)
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
        for path in re.findall(rf"`((?:{folders})/[\w./-]+)`", document.read_text())
    }

    assert len(named) > 50
    assert [f"{name}: {path}" for name, path in named if not (ROOT / path).exists()] == []


def test_localstack_is_the_same_pinned_version_everywhere() -> None:
    """The image `latest` has demanded an account token since March 2026."""
    pypi = re.search(
        r"localstack-core\[base-runtime\]==([\d.]+)", read("requirements/localstack.in")
    )
    image = re.search(r"image: localstack/localstack:([\d.]+)", read("docker-compose.yml"))

    assert pypi is not None
    assert image is not None
    assert pypi[1] == image[1]


def test_example_settings_are_the_defaults_and_commented_out() -> None:
    lines = [line for line in read(".env.example").splitlines() if line.strip()]

    assert [line for line in lines if not line.startswith("#")] == []


def test_every_decision_is_in_the_index() -> None:
    pages = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("0*.md"))
    index = read("docs/decisions/README.md")

    assert pages
    assert [page for page in pages if page not in index] == []


@pytest.mark.parametrize("name", MODELS)
def test_the_published_schemas_are_those_of_the_models(name: str) -> None:
    """After a change: python -m scripts.generate.write_schemas."""
    assert read(f"docs/schemas/{name}.json") == schema(name)


@pytest.mark.parametrize("name", MODELS)
def test_the_examples_in_the_documents_fit_the_schemas(name: str) -> None:
    page = read("docs/architecture.md")
    example = re.search(rf"^### `{name}\.fifo`.*?```json\n(.*?)```", page, re.MULTILINE | re.DOTALL)
    assert example is not None

    jsonschema.validate(json.loads(example[1]), json.loads(schema(name)))
    MODELS[name].model_validate_json(example[1])


def test_the_picture_in_the_readme_is_what_the_engine_makes() -> None:
    """After a change of the engine: python -m scripts.generate.draw_front."""
    drawn = draw_front((ROOT / "image.png").read_bytes())

    assert drawn.tobytes() == Image.open(PICTURE).tobytes()


def test_each_situation_of_an_operator_has_a_command_wherever_the_pipeline_runs() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    section = text.split("\n## Commands by situation\n")[1].split("\n## ")[0]
    # A bar within a command is escaped.
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    head, *table = ([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines)

    assert head[1:] == ["`start_app.sh`", "Compose", "ECS", "Kubernetes"]
    assert len(table) > 10
    assert [cells for cells in table if len(cells) != 5 or not all(cells)] == []
