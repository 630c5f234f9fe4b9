#!/usr/bin/env bash
# Start LocalStack (S3 and SQS on this machine) and make the buckets and queues in it.
#
#   ./start_localstack.sh          start it, unless it runs already
#   ./start_localstack.sh stop     end the one that this script started
#
# LOCALSTACK_PORT (4566) is the port on 127.0.0.1. Uses Docker Compose when a Docker engine
# answers, else the same LocalStack from PyPI. LOCALSTACK_DOCKER=0 never asks for Docker.
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

case ${1:-start} in
    start | stop) ;;
    -h | --help) show_help ;;
    *) die "unknown argument '$1'; it takes none, or stop" ;;
esac
[[ $# -lt 2 ]] || die "unknown argument '$2'; it takes none, or stop"
load_env_file
export LOCALSTACK_PORT=${LOCALSTACK_PORT:-4566}
check_port LOCALSTACK_PORT "$LOCALSTACK_PORT"
STATE=.local/localstack-$LOCALSTACK_PORT
PYTHON=$(find_python)
trap 'stop_attended; exit 143' TERM HUP
trap 'stop_attended; exit 130' INT

start() {
    local source python environments=()
    source=$(emulator_source)
    python=$(application_python)
    [[ $python != "$PWD/.venv/"* ]] || environments=(.venv requirements.txt)
    [[ $source != pypi ]] || environments+=(.venv-localstack requirements/localstack.txt)
    [[ ${#environments[@]} == 0 ]] || attended "$PYTHON" scripts/install "${environments[@]}"
    start_emulator "$source"
    use_emulator "http://127.0.0.1:$LOCALSTACK_PORT"
    attended "$python" -m app.setup_aws_resources
}

stop() {
    if [[ -e $STATE/docker ]]; then
        docker compose rm --stop --force localstack
        rm -f "$STATE/docker" "$STATE/starter"
    fi
    "$PYTHON" scripts/local/localstack.py stop "$STATE"
}

if [[ ${1:-start} == stop ]]; then stop; else start; fi
