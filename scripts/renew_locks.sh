#!/usr/bin/env bash
# Renew the lock files from pyproject.toml and requirements/*.in:
#
#   ./scripts/renew_locks.sh             keep what still fits
#   ./scripts/renew_locks.sh --upgrade   take the newest of everything
#
# Every lock serves Python 3.11 and newer on Linux, macOS and Windows, with hashes.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# The one that installs, too.
uv=$("$(find_python)" scripts/installers.py)

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command './scripts/renew_locks.sh' "$@"
}

lock pyproject.toml --output-file requirements.txt "$@"
lock pyproject.toml --group dev --constraint requirements.txt --output-file requirements/dev.txt "$@"
# For benchmarks.plots, on top of dev: nothing that the tests or the application have already differs.
lock --group benchmarks --constraint requirements/dev.txt --output-file requirements/benchmarks.txt "$@"
# For benchmarks.training alone; the application imports none of torch.
lock requirements/training.in --constraint requirements/dev.txt --output-file requirements/training.txt "$@"
# Newer releases of what LocalStack 4.12 depends on break it (cbor2, pyOpenSSL, cryptography).
lock requirements/localstack.in --exclude-newer 2025-12-15 --output-file requirements/localstack.txt
# Both ask for a boto3 of their own, so each has an environment of its own.
lock requirements/deploy.in --output-file requirements/deploy.txt "$@"
lock requirements/uv.in --output-file requirements/uv.txt "$@"
lock requirements/ministack.in --output-file requirements/ministack.txt "$@"
