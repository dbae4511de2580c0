# Set-up, build, tests. `make help` lists the targets; README.md tells the rest. Every target may be called again at any
# time: what is done already is not done twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Settings: make TARGET NAME=VALUE
BUILD ?= build
BUILD_TYPE ?= Release
WITH_ARROW ?= ON
WITH_TEXT ?= ON
TORCH_ROOT ?=
ARROW_ROOT ?=
CMAKE_FLAGS ?=
# One compiler a core, but no more than memory carries: a file that includes LibTorch takes up to 2 GB.
JOBS ?= $(shell n=$$(nproc); m=$$(awk '/MemAvailable/ {print int($$2 / 2097152)}' /proc/meminfo); \
	echo $$(( m < 1 ? 1 : m < n ? m : n )))
DEMO_MODEL ?= models/tiny-olmoe
DEMO_CORPUS ?= system
DEMO_OUT ?= runs/demo
DEMO_FLAGS ?= --tokens 250000

sanitized := build-sanitized
bare := build-bare
export MOESCOPE_TORCH_ROOT := $(TORCH_ROOT)
export MOESCOPE_ARROW_ROOT := $(ARROW_ROOT)
export MOESCOPE_WITH_ARROW := $(WITH_ARROW)
# ccache may keep objects that were made with a precompiled header.
export CCACHE_SLOPPINESS ?= pch_defines,time_macros,include_file_mtime,include_file_ctime

launcher = $(if $(shell command -v ccache),-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
configure = cmake -S . -G Ninja --log-level=NOTICE $(launcher) -DCMAKE_BUILD_TYPE=$(BUILD_TYPE) \
	-DMOESCOPE_WITH_ARROW=$(WITH_ARROW) -DMOESCOPE_WITH_TEXT=$(WITH_TEXT) \
	-DMOESCOPE_TORCH_ROOT=$(TORCH_ROOT) -DMOESCOPE_ARROW_ROOT=$(ARROW_ROOT) $(CMAKE_FLAGS)

.PHONY: help
help:  ## this list
	@echo 'make demo    from nothing to a report about the bundled model'
	@echo 'make test    from nothing through the whole test suite'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'Settings: BUILD=$(BUILD) BUILD_TYPE=$(BUILD_TYPE) JOBS=$(JOBS) WITH_ARROW=$(WITH_ARROW) WITH_TEXT=$(WITH_TEXT)'
	@echo '          TORCH_ROOT=FOLDER ARROW_ROOT=FOLDER CMAKE_FLAGS=... DEMO_OUT=$(DEMO_OUT)'

.PHONY: setup
setup:  ## install what is missing: Debian packages, and LibTorch and Arrow into .venv
	@tools/setup

.PHONY: configure
configure: setup
	@$(configure) -B $(BUILD) >/dev/null

.PHONY: build
build: configure  ## the binary, build/moescope
	@ninja -C $(BUILD) -j $(JOBS) moescope

.PHONY: demo
demo: build  ## analyse the bundled model on text found on this machine and say where the report is
	@tools/demo $(BUILD)/moescope $(DEMO_MODEL) $(DEMO_CORPUS) $(DEMO_OUT) $(DEMO_FLAGS)

# What only contributors need, besides what the build needs.
.PHONY: setup-test
setup-test:
	@tools/setup --test

.PHONY: test
test: setup-test configure  ## build everything and run every test; the last lines are the summary
	@ninja -C $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) --progress

# A build of its own: the rooms without LibTorch and their tests, instrumented.
.PHONY: test-sanitized
test-sanitized: setup-test  ## the tests of the rooms without LibTorch under the address and undefined-behaviour sanitizers
	@$(configure) -B $(sanitized) -DMOESCOPE_SANITIZE=address,undefined -DMOESCOPE_BUILD_BENCH=OFF -DMOESCOPE_WERROR=OFF >/dev/null
	@ninja -C $(sanitized) -j $(JOBS)
	@ctest --test-dir $(sanitized) --output-on-failure -j $(JOBS) --progress

.PHONY: test-bare
test-bare: setup-test  ## the tests of a build without Arrow, PCRE2, ICU, zstd and zlib
	@$(configure) -B $(bare) -DMOESCOPE_WITH_ARROW=OFF -DMOESCOPE_WITH_TEXT=OFF -DMOESCOPE_BUILD_BENCH=OFF >/dev/null
	@ninja -C $(bare) -j $(JOBS)
	@ctest --test-dir $(bare) --output-on-failure -j $(JOBS) --progress

.PHONY: bench
bench: configure  ## build and run the benchmarks
	@tools/bench $(BUILD) $(JOBS)

.PHONY: format
format: setup-test  ## rewrite the sources as .clang-format says
	@tools/format

.PHONY: tidy
tidy: setup-test configure  ## clang-tidy with the rules of .clang-tidy
	@tools/tidy $(BUILD) $(JOBS)

.PHONY: clean
clean:  ## delete build folders; .venv and runs/ stay
	rm -rf $(BUILD) $(sanitized) $(bare)
