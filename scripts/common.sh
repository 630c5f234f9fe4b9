# The functions of all shell scripts. Source it from a script in the project's root.
# Compatible with bash 3.2, the version of macOS.
# shellcheck shell=bash

# The installer leaves compiling to the first import. If Python may not write bytecode, every start
# compiles all of LocalStack again.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

die() {
    say "${0##*/}: $*"
    exit 1
}

# Print the comment at the top of script $1 (default: the running script, in the project's root),
# without the #, and exit.
show_help() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${1:-${0##*/}}"
    exit
}

# Print the first Python that is new enough. PYTHON=/path/to/python goes before all others.
find_python() {
    local candidate
    # The interpreter's own path: the one in PATH may be a slow wrapper script.
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
        if "${candidate:-false}" -c 'import sys; print(sys.executable); sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            return
        fi
    done
    die "Python 3.11 or newer is needed; $(python3 --version 2>/dev/null || echo no python3) is here. \
Set PYTHON to the path of a newer one."
}

# Read settings from .env, without overriding variables that are set and without executing the file.
load_env_file() {
    local line name value
    [[ -f .env ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line#$'\xef\xbb\xbf'}
        line=${line%$'\r'}
        line=${line#"${line%%[![:space:]]*}"}
        line=${line#export }
        if [[ -z $line || $line == \#* ]]; then continue; fi
        if [[ ! $line =~ ^[A-Za-z_][A-Za-z0-9_]*= ]]; then
            say "${0##*/}: .env: not a NAME=value: $line"
            continue
        fi
        name=${line%%=*} value=${line#*=}
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then value=${BASH_REMATCH[1]}; fi
        DOTENV_NAMES="${DOTENV_NAMES:-} $name"
        [[ -n ${!name+set} ]] || export "$name=$value"
    done <.env
    export DOTENV_NAMES=${DOTENV_NAMES:-} # the application reports misspelt names
}

# Print what ./alvura doctor finds wrong, after something has failed; nothing if it finds nothing.
say_what_is_wrong() { "$PYTHON" scripts/local/doctor.py --failing >&2 || true; }

check_port() {
    if [[ ! $2 =~ ^[0-9]{1,5}$ ]] || ((10#$2 < 1 || 10#$2 > 65535)); then
        die "$1=$2 is not a port, 1 to 65535"
    fi
}

# Print the Python of the application: of the active environment, if it has all packages, else of .venv,
# where they will be installed.
application_python() {
    local active=${VIRTUAL_ENV:-}/bin/python
    if [[ -n ${VIRTUAL_ENV:-} ]] && "$active" scripts/install/has_lock.py requirements.txt >/dev/null 2>&1; then
        echo "$active"
    else
        echo "$PWD/.venv/bin/python"
    fi
}

docker_answers() {
    [[ ${LOCALSTACK_DOCKER:-1} != 0 ]] && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1
}

# Print the source of LocalStack: already running, Docker or PyPI.
emulator_source() {
    if "$PYTHON" scripts/local/localstack.py answers "$LOCALSTACK_PORT"; then
        echo running
    elif docker_answers; then
        echo docker
    else
        echo pypi
    fi
}

# Start LocalStack from source $1 on LOCALSTACK_PORT, with its state in STATE.
start_emulator() {
    case $1 in
        running) say "${STEP:-}LocalStack answers on 127.0.0.1:$LOCALSTACK_PORT." ;;
        docker)
            say "${STEP:-}Starting LocalStack in Docker ..."
            # Recorded before the start, so that `stop` cleans up an interrupted start.
            mkdir -p "$STATE"
            touch "$STATE/docker"
            printf '%s' "${LOCALSTACK_STARTER:-}" >"$STATE/starter"
            attended docker compose up --detach --wait --no-deps localstack || die "docker compose could not start LocalStack"
            ;;
        pypi)
            say "${STEP:-}Starting LocalStack on 127.0.0.1:$LOCALSTACK_PORT ..."
            attended "$PYTHON" scripts/local/localstack.py start "$LOCALSTACK_PORT" .venv-localstack "$STATE"
            ;;
    esac
}

# The environment of every client of an emulator; real credentials must not reach it.
use_emulator() {
    export AWS_ENDPOINT_URL=$1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
    export AWS_EC2_METADATA_DISABLED=true
    # Clients read both spellings; the lower-case one has priority.
    no_proxy="${no_proxy:-${NO_PROXY:-}}"
    no_proxy="${no_proxy:+$no_proxy,}127.0.0.1,localhost"
    export no_proxy NO_PROXY=$no_proxy
    unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE
}

# Run a command so that a signal to this script reaches it at once: bash runs a trap only after
# the command in the foreground has ended, but in the middle of `wait`.
attended() {
    local status=0
    "$@" &
    ATTENDED_PID=$!
    wait "$ATTENDED_PID" || status=$?
    ATTENDED_PID=
    return "$status"
}

# Stop what `attended` runs and let it finish.
stop_attended() {
    [[ -n ${ATTENDED_PID:-} ]] || return 0
    kill -TERM "$ATTENDED_PID" 2>/dev/null || true
    wait "$ATTENDED_PID" 2>/dev/null || true
    ATTENDED_PID=
}
