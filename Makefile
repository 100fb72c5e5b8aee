# Everything a contributor runs. `make check` is what CI runs, and nothing else.
# Needs Go and a POSIX shell; a C compiler only for the race detector.

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
BIN     := bin/decnet
# Where time goes under load, for the compiler (docs/performance.md). It is named
# here and not default.pgo, so that tests are not compiled twice for it.
PROFILE := cmd/decnet/decnet.pgo
CAPTURE := examples/cowrie/tpot-2025-10-24.jsonl
DATA    ?= data
FOLLOW  ?= $(DATA)/decnet.log
BENCH   ?= .
COUNT   ?= 1
URL     ?= http://127.0.0.1:6060
MUTATE  ?= repo profile fleet auth contract ingest api

# The race detector needs cgo and a C compiler. SQLite translated to Go, and the C
# library beneath it, are left out of the instrumentation, which makes tests with a
# database several times slower and would find nothing of ours; test-full-race,
# which CI runs too, leaves nothing out. Don't widen the patterns to modernc.org/...:
# modernc.org/sqlite itself uses sync.Map, whose code is generic and compiled into
# each package that uses it. The linker keeps one copy for the whole program, and if
# it is the one without instrumentation, every sync.Map looks like a race.
CAN_RACE := $(shell [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo yes)
ifeq ($(CAN_RACE),yes)
RACE := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc/...=-race=false
else
export CGO_ENABLED := 0
endif

# The packages whose coverage is promised, and how much of them, in percent.
COVERED := ./api,./repo/sqlite,./testutil
COVER   := 85

.PHONY: help run build test test-full-race guard fuzz scorecard vet lint vuln fmt fmt-check check bench bench-parts bench-quick profile cover isolation layers smoke docs clean spec mutate browser screenshots

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Serve a real honeypot capture on 127.0.0.1:8000, and follow data/decnet.log.
	@mkdir -p -m 700 $(DATA)
	@echo "Following $(FOLLOW): lines that you append to it appear in the API."
	$(BIN) serve --data-dir $(DATA) --ingest-log-file $(FOLLOW) --ingest $(CAPTURE)

build: ## Build bin/decnet, one static binary.
	CGO_ENABLED=0 $(GO) build -pgo=$(PROFILE) -trimpath -buildvcs=auto -ldflags='-s -w' -o $(BIN) ./cmd/decnet

test: ## Run all tests, shuffled and with the race detector where there is a C compiler.
ifneq ($(CAN_RACE),yes)
	@echo "make test: no C compiler with cgo here, so WITHOUT the race detector."
endif
	$(GO) test $(RACE) -shuffle=on ./...

# The whole suite would take several times as long like this and test the same
# code of ours; these packages hold the connections and goroutines around SQLite.
test-full-race: ## Run the tests around the database with everything instrumented, SQLite too.
ifeq ($(CAN_RACE),yes)
	$(GO) test -race -short -shuffle=on ./repo/sqlite ./cmd/decnet
else
	@echo "make test-full-race: skipped, since there is no C compiler with cgo here."
endif

guard: ## Compare allocations and queries of each hot read with api/testdata/costs.golden.
	$(GO) test -count=1 -run '^TestCosts' ./api

fuzz: ## Run the contract and property tests behind the build tag fuzz, in their short form.
	$(GO) test -tags fuzz -short -shuffle=on ./fuzz/...

scorecard: ## Plant defects one by one and tell how the suite finds each; takes minutes (docs/scorecard.md).
	SCORECARD=1 $(GO) test -tags fuzz -count=1 -timeout 1h -run '^TestScorecard$$' -v ./fuzz

browser: ## Drive the dashboard in headless Chromium, where that is installed.
	$(GO) test -tags browser -count=1 -timeout 10m -run '^TestBrowser' ./web

# A service of its own, on a port of its own, with the real capture.
screenshots: build ## Take the pictures of the dashboard in docs/screenshots.
	@mkdir -p docs/screenshots; dir=$$(mktemp -d); export DECNET_ADMIN_PASSWORD=for-the-pictures-only; \
	$(BIN) serve --data-dir "$$dir" --api-port 18765 --ingest $(CAPTURE) >"$$dir/log" 2>&1 & pid=$$!; \
	trap 'kill $$pid; wait $$pid; rm -rf "$$dir"' EXIT; \
	until curl -fs http://127.0.0.1:18765/readyz >/dev/null; do kill -0 $$pid || exit 1; sleep 0.2; done; \
	DECNET_SCREENSHOTS=$(CURDIR)/docs/screenshots DECNET_URL=http://127.0.0.1:18765 $(GO) test -tags browser -count=1 -run '^TestScreenshots$$' ./web

vet: ## Run go vet, without and with the build tags fuzz and browser.
	$(GO) vet ./...
	$(GO) vet -tags fuzz ./...
	$(GO) vet -tags browser ./web

lint: ## Run golangci-lint with .golangci.yml.
	$(TOOL) golangci-lint run --allow-parallel-runners ./...

vuln: ## Look for known vulnerabilities, where GOVULNDB says where their database is.
	@if [ -n "$$GOVULNDB" ]; then $(TOOL) govulncheck -db "$$GOVULNDB" -tags fuzz -test ./...; \
	else echo "make vuln: skipped, since GOVULNDB is not set (https://vuln.go.dev, or file:///a/copy)."; fi

fmt: ## Format the Go files.
	gofmt -w .

fmt-check:
	@bad=$$(gofmt -l .); [ -z "$$bad" ] || { echo "not formatted (make fmt mends it):"; echo "$$bad"; exit 1; }

spec: ## Compare openapi.yaml with that of the last release, if there is one.
	@last=$$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || true; \
	if [ -z "$$last" ]; then echo "make spec: there is no release yet to compare with."; exit 0; fi; \
	released=$$(mktemp -d) && trap 'rm -rf "$$released"' EXIT && \
	git show "$$last:openapi.yaml" > "$$released/openapi.yaml" && \
	echo "openapi.yaml against $$last:" && \
	$(GO) tool -modfile=tools/spec/go.mod oasdiff breaking --fail-on ERR "$$released/openapi.yaml" openapi.yaml

mutate: ## Plant defects in the packages MUTATE and count those that no test finds.
	@for p in $(MUTATE); do \
		GOFLAGS=-count=1 $(GO) tool -modfile=tools/mutate/go.mod gremlins unleash --workers 2 --timeout-coefficient 10 ./$$p || exit 1; done

check: ## Run all that CI runs.
	bash .ci/run

bench: build ## Measure all that docs/performance.md tells, some 15 minutes, and write docs/performance-run.md.
	BENCH='$(BENCH)' bash tools/bench.sh

bench-parts: ## Run the benchmarks of the parts; BENCH=regexp, COUNT=10 for benchstat.
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

bench-quick: ## Run each benchmark for a moment, on small databases: two minutes, and a look only.
	$(GO) test -short -run '^$$' -bench '$(BENCH)' -benchtime 50ms ./...

profile: ## Make the profile of the build anew, from a service under load (docs/performance.md); URL says where it serves profiles.
	curl -fsS -o $(PROFILE) "$(URL)/debug/pprof/profile?seconds=30"

cover: ## Print the coverage of api, repo/sqlite and testutil; fail below 85 %.
	$(GO) test -coverpkg=$(COVERED) -coverprofile=cover.out ./...
	@awk -v least=$(COVER) -f tools/cover.awk cover.out

isolation: ## Run the tests of isolation at several values of -parallel, ten times each.
	@for n in 1 2 8 64; do echo "-parallel $$n"; $(GO) test -run 'Isolation|Canary' -count=10 -parallel $$n ./testutil || exit 1; done

layers: ## Check which package imports which.
	$(GO) test -count=1 -run '^TestLayers' .

smoke: build ## Start the built binary on a free port, ask it, and stop it.
	DECNET_BINARY=$(CURDIR)/$(BIN) $(GO) test -count=1 -v -run '^TestBinary$$' ./cmd/decnet

docs: ## Rewrite the table of options in README.md.
	$(GO) test -count=1 -run '^TestReadme' ./cmd/decnet -update

clean: ## Remove what was built; data/ stays.
	rm -rf bin cover.out
