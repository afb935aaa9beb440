# Everything one does with a checkout. `make` alone lists it.

.PHONY: help demo test lint bench fuzz

# How long each fuzz target runs.
SECONDS ?= 60

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: ## run three sites and a daemon on this machine, until Ctrl-C
	@cargo run --release --locked -- demo

test: ## install the programs that tests need, then run every test
	tests/install-tools
	cargo test --locked

lint: ## check format, lints and documentation; any warning fails
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

bench: ## install what benchmarks need, then run all of them
	tests/install-tools
	cargo build --release --locked
	benches/dns/run
	benches/start/run
	benches/zone/run
	benches/verdict/run
	benches/failover/run
	benches/reload/run
	benches/geo/run
	benches/idle/run
	benches/api/run
	benches/dashboard/run
	benches/probe/run
	benches/probe/soak
	benches/fleet/run
	cargo bench --locked

fuzz: ## feed every parser with what nobody writes, for SECONDS (60) each
	@SECONDS_EACH=$(SECONDS) fuzz/run
