#!/bin/bash
# Start the application with the machine code of the image's own build, which takes 20 s of CPU to make.
# numba must be able to write where it reads, so the code is copied to the only writable place.
set -u
made=$(dirname "$0")/numba
# numba does not use code for another processor: an older processor compiles its own.
has() {
    local feature
    for feature in "$@"; do
        grep -qm1 -E "^(flags|Features).*\b$feature\b" /proc/cpuinfo || return 1
    done
}
# app/numeric/vectors.py asks for +avx2 by its name: numba does not say what a processor's name implies.
case $(uname -m) in
    x86_64) has avx2 bmi1 bmi2 fma f16c movbe abm && export NUMBA_CPU_NAME=x86-64-v3 NUMBA_CPU_FEATURES=+avx2 ;;
    aarch64) has atomics asimddp fphp && export NUMBA_CPU_NAME=neoverse-n1 NUMBA_CPU_FEATURES= ;;
esac
if [[ -d $made && -n ${NUMBA_CACHE_DIR:-} && ! -d $NUMBA_CACHE_DIR ]]; then
    # On a full disk, numba compiles the code again.
    cp -r "$made" "$NUMBA_CACHE_DIR" || rm -rf "$NUMBA_CACHE_DIR"
fi
exec python -m app.main "$@"
