# Slotcast: one image for head, nodes and tools; the command decides.
#
#   docker build -t slotcast:0.1.0 .
#   docker run --rm slotcast:0.1.0 version

FROM python:3.11.13-slim-bookworm AS packages
WORKDIR /build
COPY requirements.txt .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check \
      --require-hashes --only-binary=:all: -r requirements.txt

FROM python:3.11.13-slim-bookworm
RUN groupadd --gid 10001 slotcast \
 && useradd --uid 10001 --gid 10001 --create-home slotcast \
 && install -d -o slotcast -g slotcast -m 0700 /data /documents
COPY --from=packages /opt/venv /opt/venv
COPY pyproject.toml /opt/slotcast/
COPY actors /opt/slotcast/actors
COPY care /opt/slotcast/care
COPY gateway /opt/slotcast/gateway
COPY persistence /opt/slotcast/persistence
COPY cluster /opt/slotcast/cluster
COPY slotcast /opt/slotcast/slotcast
COPY --chmod=0755 cluster/deploy/container-entrypoint.sh /usr/local/bin/slotcast
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/slotcast \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    SLOTCAST_DATA=/data/slotcast \
    SLOTCAST_HOST=0.0.0.0 \
    SLOTCAST_SEED=none \
    RAY_USAGE_STATS_ENABLED=0
WORKDIR /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
# Stops in order: watchers are sent away, shards hand over, then the end.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["slotcast"]
CMD ["serve"]
