# The action's image: one static binary, with a second name for it (see `post-entrypoint` in action.yml).
# Only uses the classic builder's syntax, so that every engine can build it, for amd64 and arm64.

# A release sets RUST_IMAGE to the digest behind the tag below, so that both platforms are built from the same image
# and anybody can build from it again. The tag has a FROM of its own because Dependabot doesn't update an ARG.
ARG RUST_IMAGE=toolchain
FROM rust:1.95-slim-bookworm AS toolchain

FROM ${RUST_IMAGE} AS build
WORKDIR /build

# Debian's glibc is linked in, because the image below has no loader and no libraries.
# The prefixes keep the builder's paths out of the binary.
ENV RUSTFLAGS="-C target-feature=+crt-static --remap-path-prefix=/usr/local/cargo/registry/src= --remap-path-prefix=/build="

# Dependencies are a layer of their own, built against empty sources, so that a change in src/ doesn't rebuild them.
# Cargo only reads the manifests of workspace members that aren't built, but every target that a manifest names must
# have a source file. rust-toolchain.toml isn't copied: rustup would fetch another toolchain than the image's.
COPY Cargo.toml Cargo.lock ./
COPY tests/sandbox/Cargo.toml tests/sandbox/
COPY xtask/Cargo.toml xtask/
RUN mkdir -p src benches/budgets tests/sandbox/src/bin/demo xtask/src \
    && touch tests/sandbox/src/lib.rs \
    && echo 'fn main() {}' | tee src/main.rs benches/budgets/main.rs \
        tests/sandbox/src/main.rs tests/sandbox/src/bin/demo/main.rs xtask/src/main.rs \
    && cargo build --release --locked --package trigger-pipeline --target "$(uname -m)-unknown-linux-gnu"

# The copied files may be older than the empty ones just built, and cargo compares timestamps.
COPY src src
COPY docs/troubleshooting.md docs/
RUN touch src/main.rs \
    && cargo build --release --locked --package trigger-pipeline --target "$(uname -m)-unknown-linux-gnu" \
    && mkdir /image \
    && cp "target/$(uname -m)-unknown-linux-gnu/release/trigger-pipeline" /image/ \
    && ln -s trigger-pipeline /image/trigger-pipeline-post

FROM scratch
COPY --from=build /image /
# No USER: the runner's mounted files belong to the user it runs as, whose id is unknown here. Root can write them.
ENTRYPOINT ["/trigger-pipeline"]
