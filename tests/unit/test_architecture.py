"""The map of the house: which module may import which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from testkit.root import ROOT

APP = ROOT / "app"

#: From the cellar up; a module imports only from floors below its own.
FLOORS = (
    {"buckets", "redaction"},
    {"worker_metrics"},
    {
        "aws_faults",
        "backoff",
        "bodies",
        "compiled",
        "errors",
        "exif",
        "fair_queue",
        "fast_zlib",
        "filenames",
        "histogram",
        "interrupts",
        "logs",
        "metrics",
        "object_keys",
        "pace",
        "page_remarks",
        "rates",
        "aws_policies",
        "lingering",
        "sockets",
        "version",
    },
    {
        "forms",
        "complaints",
        "admission",
        "breaker",
        "buffers",
        "compare",
        "dithering",
        "http_head",
        "method_catalogue",
        "chroma",
        "page_maps",
        "peers",
        "traffic",
        "telemetry",
    },
    {
        "representation",
        "png_format",
        "gaussian",
        "layers",
        "light_ink",
        "page_features",
        "page_kind",
        "tracing",
        "turning",
    },
    {"messages"},
    {"ports"},
    {"ownership", "png_ancillary", "png_chunks", "png_limits"},
    {"holders", "object_metadata"},
    {
        "png",
        "png_filters",
        "records",
        "orphans",
        "local_thresholds",
        "old_paper",
        "surface",
        "batching",
        "verbs",
        "leases",
        "sandbox",
        "pdf_pages",
        "upload_sources",
        "languages",
    },
    {"image_store"},
    {"tokens", "waits", "upload_report", "arguments", "rate_limit", "reader", "checks"},
    {"color", "upload_requests"},
    {"png_pixels", "upload_client"},
    {"setting_fields"},
    {"settings", "png_decoder", "methods", "aws_errors"},
    {"image_processor", "aws", "gate", "health", "lookout", "processing"},
    {"probes", "s3_objects", "sqs_service", "bucket_setup", "queue_setup"},
    {"setup_aws_resources"},
    {"s3_service"},
    {"pages", "api_page", "openapi_example", "openapi_parts", "request_context"},
    {"outcome"},
    {"observer"},
    {"worker", "uploads", "answers", "access", "reconcile", "redrive", "upload_command", "watch"},
    {"openapi_form", "openapi_refusals"},
    {"openapi", "services"},
    {"accept_upload", "own_images", "request_hooks"},
    {"routes"},
    {"consumer"},
    {"http_reader", "worker_service", "__init__"},
    {"refusals"},
    {"connection"},
    {"server"},
    {"wiring"},
    {"main"},
)
FLOOR_OF = {module: floor for floor, modules in enumerate(FLOORS) for module in modules}

#: The rooms of the image engine, which do arithmetic and nothing else.
ENGINE = {
    "compare",
    "compiled",
    "chroma",
    "color",
    "dithering",
    "fast_zlib",
    "gaussian",
    "histogram",
    "image_processor",
    "light_ink",
    "layers",
    "local_thresholds",
    "methods",
    "old_paper",
    "page_features",
    "page_kind",
    "page_maps",
    "png_decoder",
    "png_filters",
    "png_pixels",
    "turning",
    "reader",
    "surface",
}

#: Who may load these at all.
ONLY_IN = {
    "babel": {"languages"},
    "boto3": {"aws"},
    "botocore": {
        "aws",
        "aws_errors",
        "main",
        "s3_objects",
        "s3_service",
        "sqs_service",
        "setup_aws_resources",
        "bucket_setup",
        "queue_setup",
    },
    "cv2": ENGINE,
    "numba": {"compiled"},
    "flask": {
        "__init__",
        "access",
        "answers",
        "own_images",
        "pages",
        "request_context",
        "request_hooks",
        "routes",
        "server",
        "services",
        "uploads",
    },
    "flask_cors": {"request_hooks"},
    "multiprocessing": {"sandbox"},
    "opentelemetry": {"telemetry", "tracing"},
    "obstore": {"aws", "s3_objects"},
    "prometheus_client": {"buckets", "metrics", "worker_metrics"},
    "requests": set(),
    "resource": {"sandbox", "server"},
    "structlog": {"logs"},
    "waitress": {"connection", "http_reader", "lingering", "refusals", "server"},
    "wsgiref": {"probes"},
}
#: Worker and routes must be testable without AWS and OpenCV, the engine without either.
AWS = {
    "aws",
    "aws_errors",
    "aws_faults",
    "s3_objects",
    "s3_service",
    "sqs_service",
    "setup_aws_resources",
    "bucket_setup",
    "queue_setup",
    "aws_policies",
}
STRANGERS = {
    "worker": AWS | ENGINE | {"routes", "consumer"},
    "access": AWS | ENGINE | {"worker", "consumer"},
    "tracing": AWS | ENGINE | {"worker", "routes"},
    "consumer": AWS | ENGINE | {"routes", "worker"},
    "leases": AWS | ENGINE | {"routes", "worker"},
    "batching": AWS | ENGINE | {"routes", "worker"},
    "sandbox": AWS | ENGINE | {"routes", "worker"},
    "routes": AWS | ENGINE | {"worker", "consumer"},
    "request_hooks": AWS | ENGINE | {"worker", "consumer"},
    "own_images": AWS | ENGINE | {"worker", "consumer"},
    "accept_upload": AWS | ENGINE | {"worker", "consumer"},
    "gate": AWS | ENGINE | {"worker", "consumer"},
    "uploads": AWS | ENGINE | {"worker", "consumer"},
    "checks": AWS | ENGINE | {"worker", "consumer", "routes"},
    "lookout": AWS | ENGINE | {"worker", "consumer", "routes"},
    "health": AWS | ENGINE | {"worker", "consumer", "routes"},
    "probes": AWS | ENGINE | {"worker", "consumer", "routes"},
    "pages": AWS | ENGINE | {"worker", "consumer"},
    "openapi": AWS | ENGINE | {"worker", "consumer"},
    "upload_client": AWS | ENGINE | {"worker", "consumer", "routes", "messages", "ports"},
    "image_processor": AWS
    | {"image_store", "logs", "messages", "metrics", "settings", "tracing", "worker", "routes"},
}

MODULES = sorted(path.stem for path in APP.glob("*.py"))


def source_of(module: str) -> str:
    return (APP / f"{module}.py").read_text()


def imports_of(module: str, *, at_run_time: bool = True) -> tuple[set[str], set[str]]:
    """Our own modules and the foreign packages that *module* imports."""
    tree = ast.parse(source_of(module))
    for_types = set() if not at_run_time else type_only(tree)
    ours, foreign = set(), set()
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            ours |= {(name or "").split(".")[0] for name in names}
        elif isinstance(node, ast.ImportFrom):
            foreign.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            foreign |= {alias.name.split(".")[0] for alias in node.names}
    return {name if name in MODULES else "__init__" for name in ours}, foreign


def type_only(tree: ast.Module) -> set[ast.AST]:
    """Nodes under `if TYPE_CHECKING:`."""
    guards = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    ]
    return {inner for guard in guards for inner in ast.walk(guard)}


def test_every_module_is_on_the_map() -> None:
    assert sorted(FLOOR_OF) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_modules_import_only_from_lower_floors(module: str) -> None:
    ours, _ = imports_of(module)

    assert {name for name in ours if FLOOR_OF[name] >= FLOOR_OF[module]} == set()


@pytest.mark.parametrize("package", ONLY_IN)
def test_a_foreign_package_is_imported_only_where_it_belongs(package: str) -> None:
    assert {m for m in MODULES if package in imports_of(m)[1]} <= ONLY_IN[package]


@pytest.mark.parametrize("module", STRANGERS)
def test_worker_routes_and_engine_know_neither_aws_nor_each_other(module: str) -> None:
    assert imports_of(module, at_run_time=False)[0] & STRANGERS[module] == set()


def test_no_module_imports_the_package_by_its_name() -> None:
    """`from app import ...` inside the package is how cycles begin."""
    assert {m for m in MODULES if "app" in imports_of(m)[1]} == set()


@pytest.mark.parametrize(
    ("module", "strangers"),
    [
        ("app", {"flask", "boto3", "cv2"}),
        ("app.worker", {"flask", "boto3", "cv2"}),
        ("app.consumer", {"flask", "boto3", "cv2"}),
        ("app.sandbox", {"flask", "boto3", "cv2"}),
        ("app.routes", {"boto3", "cv2"}),
        ("app.upload_client", {"flask", "boto3", "cv2"}),
        ("app.methods", {"flask", "boto3"}),
        ("app.method_catalogue", {"flask", "boto3", "cv2", "numpy", "numba", "pydantic"}),
    ],
)
def test_importing_a_module_loads_no_stranger_and_starts_no_thread(
    module: str, strangers: set[str]
) -> None:
    program = (
        f"import sys, threading, {module}\n"
        f"print(sorted({strangers!r} & set(sys.modules)), threading.active_count())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[] 1"


def test_nobody_reads_the_environment_but_pydantic_for_settings() -> None:
    readers = [m for m in MODULES if re.search(r"os\.environ|getenv", source_of(m))]

    assert readers == []


def test_one_module_keeps_the_context_of_a_request() -> None:
    """Nothing travels between the hooks and the views by names in `flask.g`."""
    users = [
        m for m in MODULES if re.search(r"from flask import[^)]*\bg\b|flask\.g\b", source_of(m))
    ]

    assert users == ["request_context"]
