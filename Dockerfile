# The image of the server: one static program, the certificate authorities of registries and a bill of materials, for a user
# who is not root, on a root file system that nobody writes to. No shell, no C library beside the program, no base image.
#
#   docker build -t registry.example/portreeve:0.1.0 .
#
# For a release give the builder by digest: --build-arg BUILDER=…@sha256:…
#
# What is in it is said and checked by `cargo xtask image`, here and without an engine (docs/charts.md).

ARG BUILDER=docker.io/library/rust:1.95.0-bookworm

FROM ${BUILDER} AS builder
WORKDIR /portreeve
# First, and alone, so that the toolchain and its WebAssembly target stay in a layer of their own.
COPY rust-toolchain.toml ./
RUN rustup toolchain install
COPY . .
RUN cargo xtask image --to /image

FROM scratch
LABEL org.opencontainers.image.title="portreeve" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/portreeve/portreeve"
COPY --from=builder /image/root/ /
# By number, or a kubelet can't tell that it isn't root.
USER 65532:65532
# /mutate and /validate; /livez, /readyz and /metrics.
EXPOSE 8443 8080
ENTRYPOINT ["/usr/local/bin/portreeve"]
CMD ["--help"]
