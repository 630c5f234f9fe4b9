#!/usr/bin/env bash
# Install what is needed, start LocalStack if nothing answers, make the buckets and queues, and
# serve the whole pipeline on http://localhost:5000. Ctrl-C stops all that was started here.
#
# With AWS_ENDPOINT_URL set, that endpoint is used as it is. Settings can stand in .env; all of
# them are in docs/settings.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

load_env_file
export HOST=${HOST:-127.0.0.1} PORT=${PORT:-5000}
PYTHON=$(find_python)
STARTED_LOCALSTACK=

finish() {
    stop_attended
    [[ -z $STARTED_LOCALSTACK ]] || ./start_localstack.sh stop || true
}
trap finish EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT

# Now, not after two minutes of installing.
"$PYTHON" scripts/probe.py free "$HOST" "$PORT"
attended "$PYTHON" scripts/install.py .venv requirements.txt

if [[ -n ${AWS_ENDPOINT_URL:-} ]]; then
    attended .venv/bin/python -m app.setup_aws_resources
else
    port=${LOCALSTACK_PORT:-4566}
    "$PYTHON" scripts/localstack.py answers "$port" || STARTED_LOCALSTACK=1
    attended ./start_localstack.sh
    use_emulator "http://127.0.0.1:$port"
fi

# In a session of its own, so that Ctrl-C reaches it once, through this script.
"$PYTHON" -c 'import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])' \
    .venv/bin/python -m app.main all &
ATTENDED_PID=$!
if ! "$PYTHON" scripts/probe.py ready "$HOST" "$PORT" "$ATTENDED_PID"; then
    stop_attended
    exit 1
fi

cat <<TEXT

  The pipeline is ready on http://localhost:$PORT

    open http://localhost:$PORT in a browser, or
    ./test_upload.sh                                        sends image.png and saves the result
    curl -F image=@image.png http://localhost:$PORT/upload   says where the result will be

  Ctrl-C stops it.

TEXT
wait "$ATTENDED_PID"
