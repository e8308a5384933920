# The one file of `bun run build`, on an image that has the C library and nothing else: no shell, no package manager. The
# README says how to build and run it, for several processors too.
#
# The tag of Bun is exact. Distroless has no tags of versions: its image has the fixes of its Debian each time it is
# pulled. Where each build has to be the same to the byte: --build-arg BUN_IMAGE=oven/bun@sha256:... and BASE_IMAGE=...
ARG BUN_IMAGE=oven/bun:1.4.5-slim
ARG BASE_IMAGE=gcr.io/distroless/base-nossl-debian12

# on the machine that builds, for whatever processor: Bun for another one comes from the npm registry
FROM --platform=$BUILDPLATFORM $BUN_IMAGE AS build
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY tsconfig.json .env.example ./
COPY src ./src
RUN mkdir /data
ARG TARGETARCH
ARG APP_REVISION=
RUN bun src/cli/build.ts --target linux-$TARGETARCH

FROM $BASE_IMAGE
COPY --from=build /app/dist/backup-service* /usr/local/bin/backup-service
# by number: Kubernetes cannot tell of a name that it is not root's
COPY --from=build --chown=1000:1000 --chmod=0700 /data /data
USER 1000:1000
# a folder without .env: settings are the variables of the container
WORKDIR /
ENV DATA_DIR=/data
VOLUME /data
EXPOSE 8000 9090
# that the process lives; whether it is ready is asked at /ready, by what sends it requests
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/backup-service", "health"]
# without a shell, so that the service gets SIGTERM itself
ENTRYPOINT ["/usr/local/bin/backup-service"]
