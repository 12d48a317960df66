# The front door. A recipe is one command; what it does is Python in tools/. Variables given
# on the command line reach it through the environment.

.DEFAULT_GOAL := help
WORKERS := -n logical --dist loadfile --no-loadscope-reorder
.PHONY: help help-all dataset new refresh release bootstrap get verify repair doctor demo push pull images lock
.PHONY: show diff explain whohas catalog catalog-serve cards load switch rollback search evaluate prompts workflows
.PHONY: client-wheel test test-all lint faults bench
.PHONY: minikube-apply minikube-forward minikube-smoke

help: ## This list
	@sed -nE -e 's/^([a-z-]+):.*## /\1\t/p' -e '$$s/.*/make help-all lists every target/p' Makefile | expand -t 15

help-all: # Every target
	@sed -nE 's/^([a-z-]+):.*# /\1\t/p' Makefile | expand -t 18

demo: ## All of it, on samples (the first run installs packages)
	@tools/run registry demo

dataset: ## Build a dataset: make dataset DS=wine-quality [SOURCE=sample]
	@tools/run registry dataset

new: ## A folder for a new dataset: make new DS=my-data KIND=table
	@tools/run registry new

refresh: # Look for changes upstream: writes sources.csv for review
	@tools/run registry refresh

release: ## Release it: make release DS=emotion VERSION=1.1.0
	@tools/run registry release

bootstrap: # Build every dataset and release it as 1.0.0
	@tools/run registry bootstrap

get: ## Fetch it, verified: make get DS=emotion VERSION=1.1.0 OUT=dir
	@tools/run registry get

verify: ## Read a release back, every byte: make verify DS=... or ALL=1
	@tools/run registry verify

repair: # Mend what it has lost: make repair DS=... VERSION=...
	@tools/run registry repair

doctor: ## Look at this machine, and say how to mend it
	@tools/run registry doctor

show: ## What a dataset is, and its versions: make show DS=emotion
	@tools/run registry show

diff: ## Two versions, to the row: make diff DS=emotion A=1.0.0 B=1.1.0
	@tools/run registry diff

explain: ## What a model learnt from: make explain MODEL=wine-regressor/3
	@tools/run registry explain

whohas: ## Releases and models with a sample: make whohas SAMPLE="a text"
	@tools/run registry whohas

catalog: ## Write the catalogue, a web site of all datasets
	@tools/run catalog build

catalog-serve: ## Serve it to browsers on this machine [PORT=8080]
	@tools/run catalog serve

cards: # Write the generated part of the cards, README.md [DS=emotion]
	@tools/run registry cards

load: # Load an index into the database: make load [VERSION=1.0.0]
	@tools/run registry load

switch: # Let readers see a release of it: make switch [VERSION=1.0.0]
	@tools/run registry switch

rollback: # Let them see the one before again
	@tools/run registry rollback

search: ## Search the index: make search Q="how do I deploy with Argo"
	@tools/run registry search

evaluate: # Measure how well it answers the questions that it should
	@tools/run registry evaluate

push: ## Send its data to the remote: make push DS=... [ENV=docker]
	@tools/run registry push

pull: ## Fetch it from there, and verify every byte
	@tools/run registry pull

images: ## Build the tools' container images
	@tools/run registry images

minikube-apply: # Install it in minikube (KUBE_CONTEXT=... another cluster)
	@tools/run cluster minikube apply

minikube-forward: # Forward ports of this machine to its services
	@tools/run cluster minikube forward

minikube-smoke: # Run a pipeline in the cluster, and read its release back
	@tools/run cluster minikube smoke

workflows: # Write the datasets' Argo workflows from their DVC stages
	@tools/run cluster workflow all

test: ## Tests, some of every kind (8 minutes on two cores)
	@tools/run tests pytest tests -m "not extended and not slow" $(WORKERS)

test-all: # All other tests (up to 25 minutes) [PART=tests/e2e]
	@tools/run tests pytest $(or $(PART),tests) -m "extended and not slow" $(WORKERS)

lint: ## Style and types
	@tools/run tests pytest tests/repo/test_style.py

faults: # Every fault: kills, full disks, fuzz (up to 40 minutes)
	@tools/run tests pytest tests -m "slow" $(WORKERS)

bench: # Speed and memory against the obvious way, as ratios
	@tools/run tests python tests/bench

prompts: # Register prompts in MLflow: make prompts [PIN=name/version]
	@tools/run registry prompts

client-wheel: # Build the Python client as a wheel and an sdist, in dist/
	@tools/run tests python tests/client_wheel.py

lock: # Write the tools' locks from their pyproject.toml
	@tools/run tests python tests/lock.py
