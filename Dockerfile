# The application: `web` (API and page) or `worker`.
#   docker build -t alvura .
#   docker run alvura web
FROM python:3.13-slim AS build
COPY requirements.txt scripts/prune.py /tmp/
# Without pip, and without files that the application never reads: docs/decisions/0007-installing.md.
RUN python -m venv --without-pip /venv && \
    python -m pip --python /venv/bin/python install --no-cache-dir --require-hashes -r /tmp/requirements.txt && \
    python /tmp/prune.py /venv

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Alvura" \
    org.opencontainers.image.version="0.2.0" \
    org.opencontainers.image.description="PNG scans in, clean black-and-white pages out"
# A numeric id, so that Kubernetes can check that the user is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin pipeline
COPY --from=build /venv /venv
WORKDIR /srv
COPY app app
COPY templates templates
COPY static static
COPY translations translations
COPY --chmod=755 deploy/healthy.sh healthy
# The file system is read-only at run time, so numba keeps its machine code in /tmp.
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 NUMBA_CACHE_DIR=/tmp/numba HOST=0.0.0.0
USER 10001
# ECS mounts its volume with the permissions of this one; without this line only root could write.
VOLUME /tmp
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["/srv/healthy"]
ENTRYPOINT ["python", "-m", "app.main"]
CMD ["web"]
