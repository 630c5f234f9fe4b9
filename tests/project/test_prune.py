"""What is removed from environments, and what must not be."""

from __future__ import annotations

import re
from pathlib import Path

from babel import Locale

from app.pages.languages import LANGUAGES
from scripts.install import prune
from scripts.local import localstack
from testkit.root import ROOT


def made(site: Path, *names: str) -> None:
    for name in names:
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")


def left_in(site: Path) -> set[str]:
    return {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}


def test_data_of_unused_services_and_languages_and_tests_of_packages_are_removed(
    tmp_path: Path,
) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    made(site, "botocore/data/endpoints.json", "botocore/data/s3/2006-03-01/service-2.json.gz")
    made(site, "botocore/data/ec3/2016-11-15/service-2.json.gz", "babel/locale-data/root.dat")
    made(site, "babel/locale-data/pt_BR.dat", "babel/locale-data/ptx.dat", "numpy/tests/test_a.py")
    made(site, "numpy/lib/tests/tests/test_b.py", "numpy/lib/tests.py", "ours/tests/test_c.py")

    prune.prune(tmp_path)

    assert left_in(site) == {
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "babel/locale-data/root.dat",
        "babel/locale-data/pt_BR.dat",
        "numpy/lib/tests.py",
        "ours/tests/test_c.py",
    }


def test_only_the_newest_version_of_a_service_s_data_is_kept(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    versions = [
        f"botocore/data/ec2/{day}/service-2.json.gz" for day in ("2014-09-01", "2016-11-15")
    ]
    made(site, *versions)

    prune.prune(tmp_path)

    assert left_in(site) == {versions[1]}


def test_unused_parts_of_used_packages_are_removed(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    kept = ("numba/np/ufunc/_internal.cpython-311-x86_64-linux-gnu.so", "PIL/_webp.cpython-311.so")
    made(site, *kept, "numba/cuda/a.py", "numba/np/ufunc/tbbpool.cpython-311.so")
    made(site, "PIL/_avif.cpython-311.so", "numpy/f2py/a.py", "pillow.libs/libavif-1.so.16")

    prune.prune(tmp_path)

    assert left_in(site) == set(kept)


def test_localstack_keeps_the_services_that_run_here(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    places = ("localstack/services", "localstack/aws/api", "botocore/data")
    made(site, *(f"{place}/{name}/a/b" for place in places for name in ("s3", "sqs", "sns")))
    made(site, "localstack/services/plugins.py")

    prune.prune(tmp_path)

    kept = {f"{place}/{name}/a/b" for place in places for name in ("s3", "sqs")}
    assert left_in(site) == {*kept, "localstack/services/plugins.py"}


def test_the_services_of_localstack_are_not_removed() -> None:
    assert set(localstack.SERVICES) <= set(prune.EMULATED)


def test_only_localstack_loses_its_command_line_packages(tmp_path: Path) -> None:
    names = ("pygments/__init__.py", "yaml/__init__.py")
    ours = tmp_path / "a/lib/python3.11/site-packages"
    theirs = tmp_path / "b/lib/python3.11/site-packages"
    made(ours, *names)
    made(theirs, *names, "localstack/__init__.py")

    prune.prune(tmp_path / "a")
    prune.prune(tmp_path / "b")

    assert left_in(ours) == set(names)
    assert left_in(theirs) == {"localstack/__init__.py", "yaml/__init__.py"}


def test_an_environment_pruned_by_other_rules_is_recognised(
    tmp_path: Path,
) -> None:
    assert prune.is_current(tmp_path)  # nothing is missing there
    prune.prune(tmp_path)
    assert prune.is_current(tmp_path)
    (tmp_path / prune.MARK).write_text("other rules")
    assert not prune.is_current(tmp_path)
    (tmp_path / prune.MARK).write_text(prune.EARLIER[0])  # they left more
    assert prune.is_current(tmp_path)


def test_every_language_of_the_page_is_kept() -> None:
    assert {Locale.parse(tag, sep="-").language for tag in LANGUAGES} <= set(prune.LOCALES)


def test_every_service_that_the_code_or_a_test_asks_for_is_kept() -> None:
    sources = (
        path for folder in ("app", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")
    )

    asked = {
        name
        for path in sources
        for name in re.findall(r'client\(\s*"([a-z0-9-]+)"', path.read_text())
    }

    assert {"s3", "sqs"} <= asked <= prune.SERVICES
