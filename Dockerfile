# The action's image: one static binary and the certificates it trusts, nothing else.
# Classic builder syntax only, so that every engine can build it; amd64 and arm64.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build

# Debian's glibc is linked in: the image below has no loader and no libraries.
# The prefixes keep the builder's own paths out of the binary.
ENV RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/usr/local/cargo/registry/src= --remap-path-prefix=/build="

RUN test -s /etc/ssl/certs/ca-certificates.crt \
    || (apt-get update && apt-get install --yes --no-install-recommends ca-certificates)

# Dependencies are a layer of their own, built against empty sources, so that a change in src/ does not
# rebuild them. Members of the workspace that are not built: cargo wants to see their manifests, and no more.
# Every target that a manifest names has an empty source, for cargo looks whether it is there.
# rust-toolchain.toml stays outside: the image has the toolchain, and rustup shall not fetch another.
COPY Cargo.toml Cargo.lock ./
COPY tests/sandbox/Cargo.toml tests/sandbox/
COPY xtask/Cargo.toml xtask/
RUN mkdir -p src benches/budgets tests/sandbox/src/bin/demo xtask/src \
    && touch tests/sandbox/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs benches/budgets/main.rs \
        tests/sandbox/src/main.rs tests/sandbox/src/bin/demo/main.rs xtask/src/main.rs \
    && cargo build --release --locked --package trigger-pipeline --target "$(uname -m)-unknown-linux-gnu"

# The copied files may be older than the empty ones just built; cargo goes by the time stamp.
COPY src src
RUN touch src/main.rs \
    && cargo build --release --locked --package trigger-pipeline --target "$(uname -m)-unknown-linux-gnu" \
    && mkdir -p /image/etc/ssl/certs \
    && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
    && cp "target/$(uname -m)-unknown-linux-gnu/release/trigger-pipeline" /image/

FROM scratch
COPY --from=build /image /
# No USER: the runner's output files belong to root.
ENTRYPOINT ["/trigger-pipeline"]
