#!/usr/bin/env bash
# Send image.png (or the PNG given) to a running pipeline, wait for the result and save it next
# to it as NAME-bw.png:
#
#   ./test_upload.sh [FILE.png] [FIELD=VALUE ...]      e.g. ./test_upload.sh scan.png method=simple
#
# It runs `./alvura upload --wait --out`. ALVURA_URL is the pipeline's address,
# http://127.0.0.1:5000 unless set; IMAGE_PIPELINE_TOKEN a token, where one is needed. Exit code 0:
# the result is saved; 1: refused, failed or not ready in time; 2: nobody answers, or wrong usage.
set -euo pipefail
unset CDPATH
place=$PWD
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

case ${1:-} in
    -h | --help) show_help ;;
    -*) die "unknown option '$1'; it takes a file and FIELD=VALUE" ;;
esac
load_env_file
file=${1:-$PWD/image.png}
[[ $file == /* ]] || file=$place/$file
options=(--wait --timeout 60 --out "$(dirname "$file")")
for field in "${@:2}"; do
    case $field in
        method=* | group=*) options+=("--$field") ;;
        *) options+=(--set "$field") ;;
    esac
done

# Two of these are old names.
url=${ALVURA_URL:-${APP_URL:-${IMAGE_PIPELINE_URL:-http://127.0.0.1:${PORT:-5000}}}}
"$(find_python)" scripts/local/probe.py answers "$url"
exec ./alvura upload "${options[@]}" -- "$file"
