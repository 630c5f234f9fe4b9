#!/usr/bin/env bash
# Send image.png (or the PNG given) to a running pipeline, wait for the result and save it next
# to it:
#
#   ./test_upload.sh [FILE.png] [FIELD=VALUE ...]      e.g. ./test_upload.sh scan.png method=simple
#
# APP_URL is the pipeline's address, http://127.0.0.1:5000 unless set. Exit code 0: the result is
# saved; 1: refused, failed or not ready in time; 2: nobody answers.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=scripts/common.sh
. "$here/scripts/common.sh"
: "${PORT:=$(cd "$here" && load_env_file && echo "${PORT:-5000}")}"

[[ -x $here/.venv/bin/python ]] || die "nothing is installed yet; run ./start_app.sh first"
exec "$here/.venv/bin/python" "$here/scripts/send_image.py" \
    "${APP_URL:-http://127.0.0.1:$PORT}" "${1:-$here/image.png}" "${@:2}"
