# Every task of Haggle. `make help` lists them; `make demo` and `make test` need nothing else first.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help

BIN := .venv/bin
INSTALLED := .venv/.installed
HAGGLE := $(BIN)/haggle
# make demo KEEP=1 leaves it running
KEEP ?=
DEMO_OPTIONS ?=
BENCH ?=
# make test-faults FAULTS='-k kafka'; --faults-rounds 5 runs each test with five seeds, from that of --faults-seed on
FAULTS ?=
K8S_TESTS ?=

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---------------------------------------------------------------- one machine

.PHONY: demo
demo: $(INSTALLED) ## start everything, trade, audit, ask, report, stop (KEEP=1: leave it running)
	@$(HAGGLE) demo $(if $(KEEP),--keep) $(DEMO_OPTIONS)

.PHONY: up
up: $(INSTALLED) ## start all servers, without simulating
	@$(HAGGLE) up

.PHONY: down
down: $(INSTALLED) ## stop all servers; the data stays
	@$(HAGGLE) down

.PHONY: status
status: $(INSTALLED) ## show what runs
	@$(HAGGLE) status

.PHONY: bench-demo
bench-demo: $(INSTALLED) ## run the demo and print how long each phase took
	@$(HAGGLE) demo --phases $(DEMO_OPTIONS)

.PHONY: bench
bench: $(INSTALLED) ## measure the engine beside what bounds it (BENCH='--rounds 3 single_trades')
	@$(BIN)/python -m tests.bench $(BENCH)

.PHONY: bench-lake
bench-lake: $(INSTALLED) ## measure the lake: freshness, backlog, questions, audits (BENCH='--rounds 1 backlog')
	@$(BIN)/python -m tests.bench.lake $(BENCH)

.PHONY: bench-questions
bench-questions: $(INSTALLED) ## measure the business questions at a million trades (BENCH='--trades 100000')
	@$(BIN)/python -m tests.bench.questions $(BENCH)

.PHONY: bench-soak
bench-soak: $(INSTALLED) ## measure commits and questions after thousands of small commits (BENCH='--commits 17280')
	@$(BIN)/python -m tests.bench.soak $(BENCH)

.PHONY: evaluate
evaluate: $(INSTALLED) ## measure how well cheats are found on seeds that nobody looked at (BENCH='--seeds 20 --write')
	@$(BIN)/python -m tests.bench.evaluate $(BENCH)

# ---------------------------------------------------------------- Kubernetes

# how images are built, such as `buildah bud`, and how one gets to the cluster's nodes
IMAGE_BUILD ?= docker build
IMAGE_LOAD ?= kind load docker-image --name $(CLUSTER)
CLUSTER ?= haggle
NAMESPACE ?= haggle
RELEASE ?= haggle
HELM_OPTIONS ?=
IMAGES := haggle-engine:dev haggle-jobs:dev
KUBECTL := kubectl --namespace $(NAMESPACE)
STAMP := $(shell date +%Y%m%d-%H%M%S)

.PHONY: image
image: ## build the images haggle-engine:dev and haggle-jobs:dev (IMAGE_BUILD)
	$(IMAGE_BUILD) --target engine -t docker.io/library/haggle-engine:dev .
	$(IMAGE_BUILD) --target jobs -t docker.io/library/haggle-jobs:dev .

.PHONY: load
load: ## bring the images to the cluster's nodes (IMAGE_LOAD)
	for image in $(IMAGES); do $(IMAGE_LOAD) docker.io/library/$$image; done

.PHONY: kind-up
kind-up: ## make a kind cluster (CLUSTER=haggle)
	kind create cluster --name $(CLUSTER) --wait 2m

.PHONY: kind-load
kind-load: ## bring the images to the kind cluster
	$(MAKE) load IMAGE_LOAD='kind load docker-image --name $(CLUSTER)'

.PHONY: minikube-load
minikube-load: ## bring the images to minikube
	$(MAKE) load IMAGE_LOAD='minikube image load'

.PHONY: k8s-deploy
k8s-deploy: ## install or upgrade the chart and wait until all is ready (HELM_OPTIONS='--set …')
	helm upgrade --install $(RELEASE) charts/haggle --namespace $(NAMESPACE) --create-namespace --wait --timeout 10m $(HELM_OPTIONS)

.PHONY: k8s-simulate
k8s-simulate: ## start a simulation Job and follow it
	$(KUBECTL) create job --from=cronjob/$(RELEASE)-simulation play-$(STAMP)
	$(KUBECTL) wait --for=condition=Ready pod --selector job-name=play-$(STAMP) --timeout 60s
	$(KUBECTL) logs --follow job/play-$(STAMP)

.PHONY: k8s-report
k8s-report: ## ask the business questions now
	$(KUBECTL) create job --from=cronjob/$(RELEASE)-report report-$(STAMP)
	$(KUBECTL) wait --for=condition=Complete job/report-$(STAMP) --timeout 10m
	$(KUBECTL) logs job/report-$(STAMP)

.PHONY: k8s-test
k8s-test: $(INSTALLED) ## test the chart on the cluster of KUBECONFIG, in a namespace of its own (K8S_TESTS='-k installs')
	@$(BIN)/pytest -q -p no:cacheprovider k8s-tests --durations 15 $(K8S_TESTS)

.PHONY: k8s-undeploy
k8s-undeploy: ## uninstall the chart; the volumes stay
	helm uninstall $(RELEASE) --namespace $(NAMESPACE) --wait

# the names of before: `up` and `demo` are of one machine, and these are not
.PHONY: deploy simulate report undeploy
deploy simulate report undeploy:
	@echo 'make $@ is now make k8s-$@' >&2
	@$(MAKE) k8s-$@

# ---------------------------------------------------------------- development

.PHONY: setup
setup: $(INSTALLED) ## make .venv with the locked dependencies

$(INSTALLED): requirements/dev.lock requirements/tools.lock pyproject.toml jobs/local/preflight.py
	@command -v python3 >/dev/null || { echo 'haggle: Python 3.11 or newer is needed: sudo apt-get install python3 python3-venv' >&2; exit 1; }
	@python3 jobs/local/preflight.py
	@echo 'Making .venv with the locked dependencies (about 700 MB, once per checkout) …'
	@python3 -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --require-hashes -r requirements/dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

.PHONY: test
test: $(INSTALLED) lint ## run the tests, on real servers
	@$(BIN)/pytest -q -n 2 -m "not stack and not faults and not long"
	@$(BIN)/pytest -q -m stack --durations 10

.PHONY: test-long
test-long: $(INSTALLED) ## run the tests that `make test` leaves out, since each takes a minute or more
	@$(BIN)/pytest -q -n 2 -m long --durations 10

.PHONY: check
check: $(INSTALLED) ## check format, types and the unit tests, in a minute
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q -n 2 tests/unit

.PHONY: test-faults
test-faults: $(INSTALLED) ## break every part under load, then audit (34 minutes; FAULTS='--faults-rounds 5 --faults-seed 7')
	@$(BIN)/pytest -q -m faults --durations 10 tests/faults $(FAULTS)

.PHONY: test-mutations
test-mutations: $(INSTALLED) ## prove the tests: each seeded fault, in a copy of the source, must make one fail
	@$(BIN)/python -m tests.mutations

.PHONY: lint
lint: $(INSTALLED) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/sqlfluff lint --quiet sql
	@$(BIN)/shellcheck .ci/run jobs/local/merge-edits.sh
	@if command -v helm >/dev/null; then helm lint --quiet charts/haggle; else echo 'skipped: helm lint, since helm is not on PATH'; fi

.PHONY: format
format: $(INSTALLED) ## put the code into its one format
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

.PHONY: release
release: $(INSTALLED) check ## make a version of what is committed: number, changelog, commit, tag (VERSION=0.2.0)
	@[[ "$(VERSION)" =~ ^[0-9]+\.[0-9]+\.[0-9]+$$ ]] || { echo 'haggle: say which one: make release VERSION=0.2.0' >&2; exit 1; }
	@[[ -z "$$(git status --porcelain)" ]] || { echo 'haggle: commit your changes first; a version is what is committed' >&2; exit 1; }
	@! git rev-parse --quiet --verify 'refs/tags/v$(VERSION)' >/dev/null || { echo 'haggle: there is a v$(VERSION) already' >&2; exit 1; }
	@grep -q '^## Unreleased$$' CHANGELOG.md || { echo 'haggle: CHANGELOG.md has no section "## Unreleased"' >&2; exit 1; }
	@sed -i 's/^version = ".*"/version = "$(VERSION)"/' pyproject.toml
	@sed -i "s/^## Unreleased$$/## Unreleased\n\n## $(VERSION) ($$(date +%F))/" CHANGELOG.md
	@$(BIN)/python charts/generate.py
	@git commit --quiet --all --message 'Version $(VERSION)'
	@git tag 'v$(VERSION)'
	@echo 'Version $(VERSION) is committed and tagged v$(VERSION); push both when you are sure.'

.PHONY: generate
generate: $(INSTALLED) ## write the files that are derived from the contract and the settings
	@$(BIN)/python docs/generate.py
	@$(BIN)/python sql/generate.py
	@$(BIN)/python charts/generate.py
	@$(BIN)/python charts/volumes.py

.PHONY: pictures
pictures: $(INSTALLED) ## take the README's pictures of a game on real servers (needs Chromium)
	@$(BIN)/python docs/pictures.py

.PHONY: lock
lock: $(INSTALLED) ## pin the newest allowed dependencies, with hashes
	@$(BIN)/uv pip compile $(COMPILE) pyproject.toml -o requirements/engine.lock
	@$(BIN)/uv pip compile $(COMPILE) --extra jobs pyproject.toml -o requirements/jobs.lock
	@$(BIN)/uv pip compile $(COMPILE) --all-extras pyproject.toml -o requirements/dev.lock
	@$(BIN)/uv pip compile $(COMPILE) requirements/tools.in -o requirements/tools.lock
	@$(BIN)/python -m jobs.local.java

COMPILE := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
