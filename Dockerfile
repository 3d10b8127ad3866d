# The image of the server: one program, the C library that it is linked to and the CAs of registries, for a user who is not
# root, on a root file system that nobody writes to, without a shell.
#
#   docker build -t registry.example/portreeve:0.1.0 .
#
# For a release give both base images by digest: --build-arg BUILDER=…@sha256:… --build-arg BASE=…@sha256:…
#
# Not linked statically: the policies that ship are compiled ahead of time only for the machine that builds, and Debian's C
# library is that of both images.

ARG BUILDER=docker.io/library/rust:1.95.0-bookworm
ARG BASE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILDER} AS builder
WORKDIR /portreeve
# First, and alone, so that the toolchain and its WebAssembly target stay in a layer of their own.
COPY rust-toolchain.toml ./
RUN rustup toolchain install
COPY . .
RUN cargo build --release --locked --package portreeve && strip --strip-debug target/release/portreeve

FROM ${BASE}
LABEL org.opencontainers.image.title="portreeve" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/portreeve/portreeve"
COPY --from=builder /portreeve/target/release/portreeve /usr/local/bin/portreeve
# By number, or a kubelet can't tell that it isn't root.
USER 65532:65532
# /mutate and /validate; /livez, /readyz and /metrics.
EXPOSE 8443 8080
ENTRYPOINT ["/usr/local/bin/portreeve"]
CMD ["--help"]
