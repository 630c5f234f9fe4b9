#!/usr/bin/env bash
# Install what is needed, start LocalStack if nothing answers, make the buckets and queues, and
# serve the whole pipeline on http://localhost:5000. Ctrl-C stops all that was started here.
#
#   ./start_app.sh
#
# With AWS_ENDPOINT_URL set, that endpoint is used unchanged. Settings can be in .env;
# docs/settings.md lists them.
set -euo pipefail
unset CDPATH
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

case ${1:-} in
    '') ;;
    -h | --help) show_help ;;
    *) die "unknown argument '$1'; it takes none, settings stand in .env" ;;
esac
load_env_file
export HOST=${HOST:-127.0.0.1} PORT=${PORT:-5000} LOCALSTACK_PORT=${LOCALSTACK_PORT:-4566}
check_port PORT "$PORT"
check_port LOCALSTACK_PORT "$LOCALSTACK_PORT"
PYTHON=$(find_python)
PROBE_PID=
EMULATOR_PID=
is_begun=0
emulator=none
export STEP=
# This process id marks the LocalStack that this script started.
export LOCALSTACK_STARTER=$$
STATE=.local/localstack-$LOCALSTACK_PORT

finish() {
    local status=$?
    trap '' INT TERM HUP USR1 # a second Ctrl-C must not interrupt the cleanup
    [[ -z $PROBE_PID ]] || kill "$PROBE_PID" 2>/dev/null || true
    stop_attended
    # Before LocalStack ends; 2 is wrong usage, which has been reported in one line.
    if [[ $status != [02] && $status -lt 128 && $is_begun == 1 ]]; then
        if [[ $emulator != none ]]; then unset AWS_ENDPOINT_URL; fi
        say_what_is_wrong
    fi
    if [[ -n $EMULATOR_PID ]]; then
        kill "$EMULATOR_PID" 2>/dev/null || true
        wait "$EMULATOR_PID" 2>/dev/null || true
    fi
    if [[ $(cat "$STATE/starter" 2>/dev/null) == "$LOCALSTACK_STARTER" ]]; then
        ./start_localstack.sh stop || true
    fi
}
trap finish EXIT
trap 'exit 143' TERM HUP
trap 'exit 130' INT
trap 'exit 1' USR1 # the background job has failed and printed the reason

# Check now, not after half a minute of installing.
"$PYTHON" scripts/local/probe.py free "$HOST" "$PORT"
is_begun=1

python=$(application_python)
environments=()
if [[ $python == "$PWD/.venv/"* ]]; then environments=(.venv requirements.txt); fi
if [[ -z ${AWS_ENDPOINT_URL:-} ]]; then emulator=$(emulator_source); fi
if [[ $emulator == pypi ]]; then environments+=(.venv-localstack requirements/localstack.txt); fi
missing=' '
if [[ ${#environments[@]} != 0 ]]; then
    missing=" $("$PYTHON" scripts/install --plan "${environments[@]}" | tr '\n' ' ')"
fi

step=0 steps=1
for _ in $missing; do steps=$((steps + 1)); done
if [[ $emulator != none ]]; then steps=$((steps + 1)); fi
next_step() {
    step=$((step + 1))
    STEP="[$step/$steps] "
}

install() { attended "$PYTHON" scripts/install "$@"; }

# LocalStack has the smaller environment and the longest start, so it starts while the rest is installed.
prepare_emulator() {
    trap '[[ $? == 0 ]] || kill -USR1 $$' EXIT
    trap 'stop_attended; exit 143' TERM HUP
    if [[ $missing == *" .venv-localstack "* ]]; then
        install .venv-localstack requirements/localstack.txt
        next_step
    fi
    start_emulator "$emulator"
}

# Load the application, and run it once LocalStack responds on port $1, if $1 is set.
run_app() {
    "$python" -m scripts.local.run_app "$@" &
    ATTENDED_PID=$!
}

if [[ $missing == *" .venv "* ]]; then next_step; fi
install_step=$STEP
if [[ $emulator != none ]]; then
    next_step
    prepare_emulator &
    EMULATOR_PID=$!
    if [[ $missing == *" .venv-localstack "* ]]; then next_step; fi # this step counts as two
fi
if [[ $missing == *" .venv "* ]]; then STEP=$install_step install .venv requirements.txt; fi

next_step
say "${STEP}Starting the application ..."
if [[ $emulator == none ]]; then
    run_app
else
    use_emulator "http://127.0.0.1:$LOCALSTACK_PORT"
    run_app "$LOCALSTACK_PORT" # loads while LocalStack starts
    wait "$EMULATOR_PID"
    EMULATOR_PID=
fi
if [[ -n ${METRICS_PORT:-} ]]; then # /readyz is served only on METRICS_PORT
    "$PYTHON" scripts/local/probe.py ready "${METRICS_HOST:-127.0.0.1}" "$METRICS_PORT" "$ATTENDED_PID" &
else
    "$PYTHON" scripts/local/probe.py ready "$HOST" "$PORT" "$ATTENDED_PID" &
fi
PROBE_PID=$!
if ! wait "$PROBE_PID"; then
    stop_attended
    exit 1
fi
PROBE_PID=

url=http://localhost:$PORT
if [[ $PORT == 5000 ]]; then try=./test_upload.sh; else try="ALVURA_URL=$url ./test_upload.sh"; fi
cat <<TEXT

  The pipeline is ready on $url ($SECONDS s)

  Open it in a browser, or send image.png and save the result:

    $try

  or see how the API answers:

    curl -F image=@image.png $url/upload

  Ctrl-C stops it.

TEXT
wait "$ATTENDED_PID"
