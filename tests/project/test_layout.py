"""Files are where a reader looks for them."""

from __future__ import annotations

import ast
import re

from testkit.root import ROOT

APP = ROOT / "app"
TESTS = ROOT / "tests"

#: Where a module without a test file of its own name is tested. `unit/` is left out.
TESTED_BY = {
    "access/fair_queue": "access/test_peers",
    "aws/account": "../integration/test_doctor",
    "aws/bucket_setup": "../integration/test_setup_aws_resources",
    "aws/errors": "aws/test_faults",
    "aws/policies": "../integration/test_setup_aws_resources",
    "aws/queue_setup": "../integration/test_setup_aws_resources",
    "aws/s3_objects": "../contract/test_bucket",
    "binarize/auto/channels": "binarize/auto/test_surface",
    "binarize/auto/compare": "binarize/auto/test_surface",
    "binarize/auto/layers": "binarize/auto/test_surface",
    "binarize/auto/page_features": "binarize/auto/test_surface",
    "binarize/auto/paper_depth": "binarize/auto/test_old_paper",
    "binarize/auto/reader": "binarize/auto/test_auto",
    "binarize/local_thresholds": "binarize/test_methods",
    "binarize/turning": "png/test_exif",
    "cli/arguments": "../integration/test_main",
    "cli/doctor_options": "../project/test_doctor",
    "cli/offline/arguments": "../integration/test_main",
    "cli/offline/inputs": "cli/offline/test_command",
    "cli/offline/pool": "cli/offline/test_command",
    "cli/offline/summary": "cli/offline/test_command",
    "cli/offline/writing": "cli/offline/test_command",
    "cli/operations/announce_again": "cli/operations/test_operations",
    "cli/operations/reconcile": "cli/operations/test_operations",
    "cli/operations/redrive": "cli/operations/test_operations",
    "cli/operations/verbs": "cli/operations/test_operations",
    "cli/page_remarks": "binarize/auto/test_taken_for",
    "cli/upload": "cli/test_upload_client",
    "cli/upload_report": "cli/test_upload_client",
    "cli/upload_requests": "cli/test_upload_client",
    "cli/token": "../integration/test_start_app",
    "consumer/observer": "../integration/test_logs_and_traces",
    "consumer/outcome": "test_worker",
    "consumer/sandbox": "../integration/test_sandbox",
    "doctor/services": "../integration/test_doctor",
    "domain/bodies": "consumer/test_every_message_ends",
    "domain/keys": "images/test_ownership",
    "domain/ports": "../contract/test_bucket",
    "domain/representation": "web/test_responses",
    "errors": "../project/test_error_codes",
    "formats/kinds": "formats/test_pictures",
    "formats/planes": "test_file_processor",
    "formats/samples": "test_file_processor",
    "health/checks": "health/test_monitor",
    "health/health": "health/test_probes",
    "images/holders": "images/test_ownership",
    "images/metadata": "images/test_store",
    "images/listing": "cli/operations/test_operations",
    "images/records": "images/test_store",
    "installed": "../integration/test_installed",
    "main": "../integration/test_main",
    "numeric/memory": "../integration/test_memory",
    "numeric/gaussian": "binarize/test_methods",
    "numeric/histogram": "binarize/test_methods",
    "observability/histogram_bounds": "observability/test_metrics",
    "observability/redaction": "observability/test_logs",
    "observability/telemetry": "observability/test_tracing",
    "observability/version": "../project/test_dependencies",
    "observability/worker_metrics": "observability/test_metrics",
    "openapi/example": "openapi/test_document",
    "openapi/form": "openapi/test_document",
    "openapi/parts": "openapi/test_document",
    "openapi/refusals": "openapi/test_document",
    "pages/pages": "test_routes",
    "png/ancillary": "png/test_ignored",
    "png/chroma": "binarize/test_color",
    "png/chunks": "png/test_check",
    "png/format": "png/test_check",
    "png/limits": "png/test_check",
    "png/pixels": "png/test_decode",
    "s3_service": "../contract/test_bucket",
    "server/connection": "../integration/test_server",
    "server/request_head": "server/test_head_cost",
    "server/lingering": "../integration/test_server",
    "server/pace": "server/test_buffers",
    "server/reader": "../integration/test_server",
    "server/refusals": "../integration/test_smuggling",
    "server/security_headers": "web/test_responses",
    "server/server": "../integration/test_server",
    "server/sockets": "../integration/test_abuse",
    "server/traffic": "../integration/test_abuse",
    "settings/faults": "test_settings",
    "settings/fields": "test_settings",
    "setup_aws_resources": "../integration/test_setup_aws_resources",
    "sqs_service": "../contract/test_queue",
    "web/accept_upload": "test_routes",
    "web/own_images": "web/test_tenant_matrix",
    "web/request_hooks": "test_routes",
    "web/request_log": "../integration/test_logs_and_traces",
    "web/services": "test_routes",
    "web/uploads": "../integration/test_upload_forms",
    "wiring/worker": "../integration/test_roles",
}


def modules() -> list[str]:
    paths = [path for path in APP.rglob("*.py") if not path.stem.startswith("__")]
    return sorted(path.relative_to(APP).with_suffix("").as_posix() for path in paths)


def test_each_module_has_a_test_file_of_its_name_or_a_line_that_says_where_it_is_tested() -> None:
    without = [
        module
        for module in modules()
        if not (TESTS / "unit" / module).with_name(f"test_{module.split('/')[-1]}.py").exists()
    ]

    assert without == sorted(TESTED_BY)


def test_the_test_files_of_that_list_exist() -> None:
    files = {TESTS / "unit" / f"{test}.py" for test in TESTED_BY.values()}

    assert [path for path in sorted(files) if not path.exists()] == []


def test_each_folder_of_unit_tests_is_a_package_of_the_application() -> None:
    folders = {path.parent.relative_to(TESTS / "unit") for path in TESTS.glob("unit/**/test_*.py")}

    assert [folder for folder in sorted(folders) if not (APP / folder).is_dir()] == []


def test_a_script_is_in_a_folder_that_says_what_it_is_for() -> None:
    scripts = ROOT / "scripts"
    folders = [path for path in scripts.iterdir() if path.is_dir() and path.name != "__pycache__"]
    purposes = [
        ast.get_docstring(ast.parse((path / "__init__.py").read_text())) for path in folders
    ]

    # Used by scripts of several folders, and the command that every lock names.
    assert {path.name for path in scripts.iterdir() if path.is_file()} == {
        *("__init__.py", "common.sh", "usage.py"),
        "renew_locks.sh",
    }
    assert purposes
    assert all(purposes)


def test_no_unit_test_starts_a_process() -> None:
    starters = re.compile(r"\bsubprocess\.|\bPopen\b|\bmultiprocessing\b|ProcessPoolExecutor")

    files = sorted((TESTS / "unit").rglob("*.py"))
    assert [path.name for path in files if starters.search(path.read_text())] == []
