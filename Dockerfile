# The application: `web` (API and page) or `worker`.
#   docker build -t alvura .
#   docker run alvura web
# --build-arg ROLE=web has what `web` needs alone, a tenth of the whole; ROLE=worker leaves the API out.
# --build-arg BASE=IMAGE builds on another image. Dependabot renews a digest in the first FROM, none in an ARG.
ARG BASE=pinned
ARG ROLE=all
FROM python:3.13-slim@sha256:70729b46c69b4f1e97c4822c1af3df53a1476cf5ddc6c087c0c10bc3a5678c2f AS pinned
FROM ${BASE} AS build
ARG ROLE
COPY requirements.txt /tmp/
COPY scripts/__init__.py scripts/usage.py /tmp/scripts/
COPY scripts/install/__init__.py scripts/install/prune.py scripts/install/role_lock.py scripts/install/symbols.py /tmp/scripts/install/
# Without pip, and without files that the application never reads: docs/decisions/0007-installing.md.
RUN python /tmp/scripts/install/role_lock.py /tmp/requirements.txt "${ROLE}" > /tmp/lock.txt && \
    python -m venv --without-pip /venv && \
    python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes -r /tmp/lock.txt && \
    python /tmp/scripts/install/prune.py /venv

# checkov:skip=CKV_DOCKER_7:The check does not read the tag of BASE
FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Alvura" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.description="PNG scans in, clean black-and-white pages out" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.revision="${REVISION}"
# A numeric id, so that Kubernetes can check that the user is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pipeline
COPY --from=build /venv /venv
WORKDIR /srv
COPY app app
COPY templates templates
COPY static static
COPY translations translations
COPY --chmod=755 deploy/healthy.sh healthy
COPY --chmod=755 deploy/start.sh start
# The file system is read-only at run time, so numba keeps its machine code in /tmp.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/tmp/numba HOST=0.0.0.0
# Each loop over pixels, compiled for the processors that `start` looks for. Whole seconds: numba compares
# the times of the sources, and a registry keeps no fractions.
ARG TARGETARCH=amd64
ARG ROLE
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN [ "${ROLE}" = web ] && exit; find app -name "*.py" -exec touch -d 2026-01-01T00:00:00Z {} + && \
    grep -rl --include="*.py" "^@compiled(" app | sed "s/[.]py$//; s,/,.,g" | \
    NUMBA_CACHE_DIR=/srv/numba NUMBA_CPU_FEATURES="$([ "${TARGETARCH}" = arm64 ] || echo +avx2)" \
    NUMBA_CPU_NAME="$([ "${TARGETARCH}" = arm64 ] && echo neoverse-n1 || echo x86-64-v3)" \
    xargs python -c "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"
USER 10001
# ECS mounts its volume with the permissions of this one; without this line only root could write.
VOLUME /tmp
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/srv/healthy"]
ENTRYPOINT ["/srv/start"]
CMD ["web"]
