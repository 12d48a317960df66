# The front door. A recipe is one command; what it does is Python in tools/registry. Variables given
# on the command line reach it through the environment.

.DEFAULT_GOAL := help
.PHONY: help help-all dataset new refresh release bootstrap demo push pull images lock prompts test lint faults bench

help: ## This list
	@sed -nE 's/^([a-z-]+):.*## /\1\t/p' Makefile | expand -t 12

help-all: # Every target
	@sed -nE 's/^([a-z-]+):.*# /\1\t/p' Makefile | expand -t 12

demo: ## Everything, end to end, on sample data: no Docker, no network
	@tools/run registry demo

dataset: ## Build a dataset: make dataset DS=wine-quality [SOURCE=sample]
	@tools/run registry dataset

new: ## A folder for a new dataset: make new DS=my-data KIND=table
	@tools/run registry new

refresh: # Look for changes upstream: writes sources.csv for review
	@tools/run registry refresh

release: ## Release it: make release DS=emotion VERSION=1.1.0 (or BUMP=auto)
	@tools/run registry release

bootstrap: # Build every dataset and release it as 1.0.0
	@tools/run registry bootstrap

push: ## Send its data to the remote: make push DS=... [ENV=docker]
	@tools/run registry push

pull: ## Fetch it from there, and verify every byte
	@tools/run registry pull

images: ## Build the tools' container images
	@tools/run registry images

test: ## Everything that can be tested on this machine
	@tools/run tests pytest tests -n logical --dist loadgroup

lint: ## Style and types
	@tools/run tests pytest tests/repo -k "style or types"

faults: # Every fault, in full: kills, full disks, fuzz (up to 40 minutes)
	@tools/run tests pytest tests -m slow -n logical --dist loadgroup

bench: # Speed and memory against the obvious way, as ratios
	@tools/run tests python tests/bench/run.py

prompts: # Register the datasets' prompts in MLflow: make prompts [PIN=name/version]
	@tools/run registry prompts

lock: # Write the tools' locks from their pyproject.toml
	@tools/run tests python tests/lock.py
