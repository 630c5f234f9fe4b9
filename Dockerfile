# The application: API and page, or worker, by the command.
#   docker build -t alvura .
#   docker run alvura web
FROM python:3.13-slim AS build
COPY requirements.txt scripts/prune.py /tmp/
# No pip inside, and none of what no part of the application reads: docs/decisions/0007-installing.md.
RUN python -m venv --without-pip /venv && \
    python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes -r /tmp/requirements.txt && \
    python /tmp/prune.py /venv

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Alvura" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.description="PNG scans in, clean black-and-white pages out"
# A number, so that Kubernetes can see that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pipeline
COPY --from=build /venv /venv
WORKDIR /srv
COPY app app
COPY templates templates
COPY static static
COPY translations translations
# The tree is read-only in use: nothing may be written beside the code, and what numba compiles is kept in /tmp.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/tmp/numba HOST=0.0.0.0
USER 10001
# Where the rest is read-only: ECS mounts a volume here with these permissions, or root's without this line.
VOLUME /tmp
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 5000)}/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "app.main"]
CMD ["web"]
