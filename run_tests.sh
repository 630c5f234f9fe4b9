#!/usr/bin/env bash
# Install what the tests need and run them:
#
#   ./run_tests.sh                  everything, with a LocalStack of its own on a free port
#   ./run_tests.sh unit             the fast part, which needs nothing but Python
#   ./run_tests.sh soak             the fault tests at full length, with their records: half an hour
#   ./run_tests.sh tests/unit/png/test_check.py -k name ...     any arguments of pytest
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

PYTHON=$(find_python)
STATE=
COMPILING_PID=

finish() {
    trap '' INT TERM HUP
    stop_attended
    [[ -z $COMPILING_PID ]] || kill -TERM "$COMPILING_PID" 2>/dev/null || true
    [[ -z $STATE ]] || "$PYTHON" scripts/local/localstack.py stop "$STATE"
    [[ -z $STATE ]] || rm -rf "$STATE"
}
trap finish EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

# A browser, and two programs that check the PDFs it saves.
install_browser_tools() {
    local packages=(chromium qpdf poppler-utils)
    if command -v chromium && command -v qpdf && command -v pdfimages; then return; fi >/dev/null
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
        die "the browser tests need Chromium, qpdf and poppler: install their packages (as root: apt-get \
install ${packages[*]}), or run ./run_tests.sh unit"
    fi
    say "Installing ${packages[*]} (once) ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${packages[@]}"; } >/dev/null 2>&1 ||
        die "apt-get cannot install ${packages[*]}; try it by hand"
}

# Unpacked beside the tree instead of installed: Debian's package would start a server.
unpack_prometheus() {
    local unpacked=.local/prometheus
    if command -v promtool >/dev/null && command -v prometheus >/dev/null; then return; fi
    if [[ -x $unpacked/usr/bin/promtool ]]; then return; fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "No promtool and no prometheus here: the tests of the alerts are skipped"
        return
    fi
    say "Fetching Prometheus (once) ..."
    mkdir -p "$unpacked"
    {
        if [[ $(id -u) == 0 ]]; then apt-get update -qq; fi
        (cd "$unpacked" && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb . && rm prometheus_*.deb)
    } >/dev/null 2>&1 || say "apt-get cannot fetch prometheus: the tests of the alerts are skipped"
}

fetch_helm() {
    "$PYTHON" scripts/check/fetch_helm.py >/dev/null || say "The tests of the Helm chart are skipped"
}

start_localstack() {
    local port
    port=$("$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    STATE=.local/localstack-$port
    attended "$PYTHON" scripts/local/localstack.py start "$port" .venv-localstack "$STATE"
    export TEST_AWS_ENDPOINT_URL=http://127.0.0.1:$port
}

# Compile the engine's loops once, beside LocalStack's start: without a cache each process of pytest
# would compile all of them at its start.
start_compiling() {
    .venv/bin/python -m scripts.local.compile_engine &
    COMPILING_PID=$!
}

await_compiling() {
    wait "$COMPILING_PID" || die "the engine does not compile"
    COMPILING_PID=
}

[[ ${1:-} != -h && ${1:-} != --help ]] || show_help
environments=(.venv requirements/dev.txt)
if [[ ${1:-} != unit ]]; then environments+=(.venv-localstack requirements/localstack.txt); fi
# MiniStack, for CloudFormation and enforced policies, which LocalStack's free edition lacks.
if [[ ${1:-} != unit && ${1:-} != soak ]]; then environments+=(.venv-ministack requirements/ministack.txt); fi
attended "$PYTHON" scripts/install "${environments[@]}"
# Each process runs one file at a time. Two processes per CPU: many tests wait for processes to
# start, for timeouts and for polls.
cpus=$("$PYTHON" -c 'import os; print(min(4, len(os.sched_getaffinity(0))))')
at_once=(-n "$((2 * cpus))" --dist loadfile)
case ${1:-} in
    unit)
        shift
        set -- tests/unit "${at_once[@]}" "$@"
        ;;
    soak)
        shift
        export SOAK=1
        set -- tests/fault -s --timeout=3600 "$@"
        start_localstack
        ;;
    *)
        install_browser_tools
        unpack_prometheus
        fetch_helm
        start_compiling
        start_localstack
        await_compiling
        ;;
esac
[[ $# -gt 0 ]] || set -- "${at_once[@]}"
# In the foreground, so that Ctrl-C reaches pytest, which stops the processes of its fixtures.
.venv/bin/python -m pytest "$@"
