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

load_env_file
export LOCALSTACK_PORT=${LOCALSTACK_PORT:-4566}
check_port LOCALSTACK_PORT "$LOCALSTACK_PORT"
STATE=.local/localstack-$LOCALSTACK_PORT
PYTHON=$(find_python)
trap 'stop_attended; exit 143' TERM HUP
trap 'stop_attended; exit 130' INT

docker_answers() {
    [[ ${LOCALSTACK_DOCKER:-1} != 0 ]] && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1
}

start() {
    if "$PYTHON" scripts/localstack.py answers "$LOCALSTACK_PORT"; then
        say "LocalStack answers on 127.0.0.1:$LOCALSTACK_PORT."
    elif docker_answers; then
        say "Starting LocalStack in Docker ..."
        # Before it runs, so that `stop` undoes a start that was cut short.
        mkdir -p "$STATE"
        touch "$STATE/docker"
        printf '%s' "${LOCALSTACK_STARTER:-}" >"$STATE/starter"
        attended docker compose up --detach --wait --no-deps localstack || die "docker compose could not start LocalStack"
    else
        attended "$PYTHON" scripts/install.py .venv-localstack requirements/localstack.txt
        say "Starting LocalStack on 127.0.0.1:$LOCALSTACK_PORT ..."
        attended "$PYTHON" scripts/localstack.py start "$LOCALSTACK_PORT" .venv-localstack "$STATE"
    fi
}

stop() {
    if [[ -e $STATE/docker ]]; then
        docker compose rm --stop --force localstack
        rm -f "$STATE/docker" "$STATE/starter"
    fi
    "$PYTHON" scripts/localstack.py stop "$STATE"
}

case ${1:-start} in
    start)
        start
        attended "$PYTHON" scripts/install.py .venv requirements.txt
        use_emulator "http://127.0.0.1:$LOCALSTACK_PORT"
        attended .venv/bin/python -m app.setup_aws_resources
        ;;
    stop) stop ;;
    *) die "unknown argument '$1'; it takes none, or stop" ;;
esac
