#!/usr/bin/env bash
# Install what is needed, start LocalStack if nothing answers, make the buckets and queues, and
# serve the whole pipeline on http://localhost:5000. Ctrl-C stops all that was started here.
#
# With AWS_ENDPOINT_URL set, that endpoint is used as it is. Settings can stand in .env; all of
# them are in docs/settings.md.
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

load_env_file
export HOST=${HOST:-127.0.0.1} PORT=${PORT:-5000} LOCALSTACK_PORT=${LOCALSTACK_PORT:-4566}
check_port PORT "$PORT"
check_port LOCALSTACK_PORT "$LOCALSTACK_PORT"
PYTHON=$(find_python)
PROBE_PID=
# By this number we know again the LocalStack that was started for us.
export LOCALSTACK_STARTER=$$
STATE=.local/localstack-$LOCALSTACK_PORT

finish() {
    trap '' INT TERM HUP # a second Ctrl-C must not leave half of it running
    [[ -z $PROBE_PID ]] || kill "$PROBE_PID" 2>/dev/null || true
    stop_attended
    if [[ $(cat "$STATE/starter" 2>/dev/null) == "$LOCALSTACK_STARTER" ]]; then
        ./start_localstack.sh stop || true
    fi
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
    attended ./start_localstack.sh
    use_emulator "http://127.0.0.1:$LOCALSTACK_PORT"
fi

# In a session of its own, so that Ctrl-C reaches it once, through this script.
"$PYTHON" -c 'import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])' \
    .venv/bin/python -m app.main all &
ATTENDED_PID=$!
if [[ -n ${METRICS_PORT:-} ]]; then # /readyz is served there alone
    "$PYTHON" scripts/probe.py ready "${METRICS_HOST:-127.0.0.1}" "$METRICS_PORT" "$ATTENDED_PID" &
else
    "$PYTHON" scripts/probe.py ready "$HOST" "$PORT" "$ATTENDED_PID" &
fi
PROBE_PID=$!
if ! wait "$PROBE_PID"; then
    stop_attended
    exit 1
fi
PROBE_PID=

url=http://localhost:$PORT
if [[ $PORT == 5000 ]]; then try=./test_upload.sh; else try="APP_URL=$url ./test_upload.sh"; fi
cat <<TEXT

  The pipeline is ready on $url

  Open it in a browser, or send image.png and save the result:

    $try

  or see how the API answers:

    curl -F image=@image.png $url/upload

  Ctrl-C stops it.

TEXT
wait "$ATTENDED_PID"
