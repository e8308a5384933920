# The service, and the operator commands beside it. The README says how to build and run it.
#
# The tag is exact, and not a digest: when the image of a version is built again it has the fixes of its Debian. Where
# each build has to be the same to the byte: --build-arg BUN_IMAGE=oven/bun@sha256:...
ARG BUN_IMAGE=oven/bun:1.4.5-slim

FROM $BUN_IMAGE AS dependencies
WORKDIR /app
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production

FROM $BUN_IMAGE
# the user bun of the image, by number: Kubernetes cannot tell of a name that it is not root's
RUN mkdir -m 0700 /data && chown 1000:1000 /data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json bun.lock bunfig.toml tsconfig.json ./
COPY src ./src
USER 1000:1000
# as `bun run start` has it
ENV BUN_JSC_forceRAMSize=268435456
ENV DATA_DIR=/data
VOLUME /data
EXPOSE 8000 9090
# that the process lives; whether it is ready is asked at /ready, by what sends it requests
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["bun", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT || 8000}/health`)).ok ? 0 : 1)"]
# without a shell, so that the service gets SIGTERM itself
CMD ["bun", "src/main.ts"]

# last, since it changes with every build
ARG APP_REVISION=
ENV APP_REVISION=$APP_REVISION
