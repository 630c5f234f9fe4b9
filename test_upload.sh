#!/usr/bin/env bash
# Send image.png (or the PNG given) to a running pipeline, wait for the result and save it next
# to it as NAME-bw.png:
#
#   ./test_upload.sh [FILE.png] [FIELD=VALUE ...]      e.g. ./test_upload.sh scan.png method=simple
#
# It runs `python -m app.main upload --wait --out`. APP_URL is the pipeline's address,
# http://127.0.0.1:5000 unless set; IMAGE_PIPELINE_TOKEN a token, where one is needed. Exit code 0:
# the result is saved; 1: refused, failed or not ready in time; 2: nobody answers, or wrong usage.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=scripts/common.sh
. "$here/scripts/common.sh"
: "${PORT:=$(cd "$here" && load_env_file && echo "${PORT:-5000}")}"

python=$here/.venv/bin/python
[[ -x $python ]] || die "nothing is installed yet; run ./start_app.sh first"

file=${1:-$here/image.png}
[[ $file == /* ]] || file=$PWD/$file
options=(--url "${APP_URL:-http://127.0.0.1:$PORT}" --wait --timeout 60 --out "$(dirname "$file")")
for field in "${@:2}"; do
    case $field in
        method=* | group=*) options+=("--$field") ;;
        *) options+=(--set "$field") ;;
    esac
done

cd "$here" # where the package `app` is
"$python" scripts/probe.py answers "${options[1]}"
exec "$python" -m app.main upload "${options[@]}" -- "$file"
