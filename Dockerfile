# One image for the three programs; docker-compose.yml says which container runs which.
# Build: docker build -t gremio .

FROM debian:12 AS build
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends gcc libc6-dev cmake ninja-build pkg-config libevent-dev libpq-dev \
        libjwt-dev libjson-c-dev libssl-dev libsodium-dev libseccomp-dev libzxcvbn-dev libqrencode-dev libical-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY CMakeLists.txt CMakePresets.json ./
COPY scripts/package-floor.cmake scripts/
COPY common common
COPY router router
COPY worker worker
COPY provisioning provisioning
RUN cmake --preset release && cmake --build build/release && strip build/release/bin/*

FROM node:20-bookworm-slim AS pages
WORKDIR /src
COPY web web
RUN web/build /pages

FROM debian:12-slim
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends libevent-2.1-7 libevent-openssl-2.1-7 libpq5 libjwt0 libjson-c5 \
        libssl3 libsodium23 libseccomp2 libzxcvbn0 libqrencode4 libical3 curl ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 999 --home-dir /var/lib/gremio --shell /usr/sbin/nologin gremio \
    && install -d -o gremio -g gremio -m 0700 /var/lib/gremio/secrets /var/lib/gremio/router /var/lib/gremio/worker \
        /run/gremio/slots
COPY --from=build /src/build/release/bin/ /usr/local/bin/
COPY --from=pages /pages /usr/share/gremio/web
COPY sql /usr/share/gremio/sql
COPY scripts/container-migrate /usr/local/bin/
# Every setting has a variable GREMIO_NAME; these are the places inside the image.
ENV GREMIO_SLOTS_DIR=/run/gremio/slots \
    GREMIO_STATIC_DIR=/usr/share/gremio/web \
    GREMIO_SQL_DIR=/usr/share/gremio/sql \
    GREMIO_SECRETS_DIR=/var/lib/gremio/secrets \
    GREMIO_DB_PASSWORD_FILE=/var/lib/gremio/router/router.password \
    GREMIO_AUTH_PASSWORD_FILE=/var/lib/gremio/worker/auth.password \
    GREMIO_JOBS_PASSWORD_FILE=/var/lib/gremio/worker/jobs.password \
    GREMIO_POOL_KEY_FILE=/var/lib/gremio/worker/pool.key \
    GREMIO_SEALING_KEY_FILE=/var/lib/gremio/worker/sealing.key \
    GREMIO_LISTEN=0.0.0.0:8000 \
    GREMIO_METRICS_LISTEN=0.0.0.0:8001
USER gremio
STOPSIGNAL SIGTERM
CMD ["gremioctl", "--help"]
