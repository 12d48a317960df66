# The front door. A recipe is one command; what it does is Python in tools/. Variables given
# on the command line reach it through the environment.

.DEFAULT_GOAL := help
WORKERS := -n logical --dist loadfile --no-loadscope-reorder
.PHONY: help help-all dataset new refresh release bootstrap get verify repair doctor demo push pull images lock
.PHONY: show diff explain whohas catalog catalog-serve cards load switch rollback search evaluate prompts workflows
.PHONY: client-wheel test test-all lint faults bench
.PHONY: minikube-apply minikube-forward minikube-smoke

help: ## List the main targets
	@sed -nE -e 's/^([a-z-]+):.*## /\1\t/p' -e '$$s/.*/make help-all lists every target/p' Makefile | expand -t 15

help-all: # List every target
	@sed -nE 's/^([a-z-]+):.*# /\1\t/p' Makefile | expand -t 18

demo: ## Run every step on sample data, without Docker
	@tools/run registry demo

dataset: ## Build a dataset: make dataset DS=wine-quality
	@tools/run registry dataset

new: ## Create a dataset: make new DS=reviews FROM=reviews.csv
	@tools/run registry new

refresh: # Update sources.csv from upstream: make refresh DS=emotion
	@tools/run registry refresh

release: ## Release it: make release DS=emotion VERSION=1.1.0
	@tools/run registry release

bootstrap: # Build every dataset and release it as 1.0.0
	@tools/run registry bootstrap

get: ## Download: make get DS=emotion VERSION=1.1.0 OUT=emotion
	@tools/run registry get

verify: ## Read a release back: make verify DS=emotion, or ALL=1
	@tools/run registry verify

repair: # Replace lost or damaged objects: make repair DS=emotion
	@tools/run registry repair

doctor: ## Check this machine, and print a fix for each problem
	@tools/run registry doctor

show: ## Show a dataset and its versions: make show DS=emotion
	@tools/run registry show

diff: ## Compare versions: make diff DS=emotion A=1.0.0 B=1.1.0
	@tools/run registry diff

explain: ## Training data of a model: make explain MODEL=wine-regressor/1
	@tools/run registry explain

whohas: ## Find a sample in all releases: make whohas SAMPLE="a text"
	@tools/run registry whohas

catalog: ## Write the catalogue, a web site of all datasets
	@tools/run catalog build

catalog-serve: ## Serve it on this machine: make catalog-serve [PORT=8080]
	@tools/run catalog serve

cards: # Write the front matter of the READMEs: make cards [DS=emotion]
	@tools/run registry cards

load: # Load an index into the database: make load [VERSION=1.0.0]
	@tools/run registry load

switch: # Point readers at a release of it: make switch [VERSION=1.0.0]
	@tools/run registry switch

rollback: # Point them back at the previous one
	@tools/run registry rollback

search: ## Search the index: make search Q="how do I deploy with Argo"
	@tools/run registry search

evaluate: # Measure the search results: make evaluate [VERSION=1.0.0]
	@tools/run registry evaluate

push: # Send data to a remote: ENV=docker make push DS=wine-quality
	@tools/run registry push

pull: # Fetch it, verified: ENV=docker make pull DS=wine-quality
	@tools/run registry pull

images: # Build the container images of the tools
	@tools/run registry images

minikube-apply: # Install everything in minikube [KUBE_CONTEXT=...]
	@tools/run cluster minikube apply

minikube-forward: # Forward ports of this machine to its services
	@tools/run cluster minikube forward

minikube-smoke: # Run a pipeline there, and verify its release
	@tools/run cluster minikube smoke

workflows: # Write the Argo workflows of the datasets
	@tools/run cluster workflow all

test: ## Run tests of every kind (8 minutes on two cores)
	@tools/run tests pytest tests -m "not extended and not slow" $(WORKERS)

test-all: # Run all other tests (25 minutes) [PART=tests/e2e]
	@tools/run tests pytest $(or $(PART),tests) -m "extended and not slow" $(WORKERS)

lint: # Check style and types
	@tools/run tests pytest tests/repo/test_style.py

# Three on two cores, for some of them wait; a file that takes long is shared out.
faults: # Run the slow tests: kills, full disks, fuzz (up to 40 minutes)
	@tools/run tests pytest tests -m "slow" -n 3 --dist worksteal

bench: # Measure speed and memory, as ratios to a simple implementation
	@tools/run tests python tests/bench

prompts: # Register prompts in MLflow: make prompts [PIN=name/version]
	@tools/run registry prompts

client-wheel: # Build the Python client as a wheel and an sdist, in dist/
	@tools/run tests python tests/client_wheel.py

lock: # Write the tools' locks from their pyproject.toml
	@tools/run tests python tests/lock.py
