# awspool is built with PGXS: make, make install and make installcheck do what
# they do for every PostgreSQL extension, with the server of PG_CONFIG, in this
# folder or, with make -f or VPATH, in another.
#
#	make installcheck        regression and isolation tests, on a running server
#	make prove_installcheck  TAP tests, which start servers of their own
#
# The rest work in a private place, on a server of their own:
#
#	make demo          see it work on a throw-away server
#	make demo-psql     the same pool, and you in psql on it
#	make portal        the portal on a throw-away pool, or on that of PGHOST
#	make test-portal   use it in a browser, as a person would
#	make deb           Debian packages for the servers that this release has
#	make test-deb      make, install, upgrade and remove them on 15, 17, 18, 19
#	make dist          the zip for PGXN
#	make test          every test, on SERVER=17, say, or the newest installed
#	                   here (one test alone: see test/run.sh)
#	make test-servers  every test, on 15, 17, 18 and 19
#	make test-upgrade  a pool that pg_upgrade takes from 15 to 17, 18 and 19
#	make test-update   a pool of 1.0, updated while it sells: who waits how long
#	make test-pitr     a pool that is restored to an earlier time by pgBackRest
#	make test-ha       three servers under Patroni that fail, and clients that go on
#	make test-scale    a pool on three servers, whose providers move while they sell
#	make fuzz          files that nobody thought of, for SECONDS=60
#	make test-clients  the examples for drivers and object mappers
#	make sqlsmith      queries that nobody thought of, for SECONDS=600 and as long again
#	make torture       what clients are told while servers die, for SECONDS=300
#	make torture-bugs  whether that finds the bugs it should
#	make model         everything that a model of the claim can do, with spin
#	make bench         how fast it claims, against what is possible
#	make bench-scale   what three servers are worth, and how long a move holds up
#	make analyze       what the static analyzers of gcc and clang find
#	make asserts       every test on a server built with assertions; likewise
#	                   make asan, valgrind, discard: see test/checked.sh
#	make coverage      which lines the tests reach
#	make test-monitoring  whether contrib/monitoring tells of trouble
#	make soak          ten million calls in a session, or CALLS: what memory grows
#	make lint          what gcc and clang have to say, as errors
#
# All but the last install what they need, so they also work where there is no
# pg_config yet: PGXS is read for other goals only.  Servers that take long to
# make are kept, in .servers and .fuzz.
CHECKED = asserts asan valgrind discard
SCRIPTED = demo demo-psql portal test-portal deb test-deb dist \
	test test-servers test-upgrade test-update test-clients test-pitr test-ha test-monitoring \
	test-scale fuzz sqlsmith torture torture-bugs model bench bench-scale analyze \
	$(CHECKED) coverage \
	soak

# Where the project is: as PGXS has it, in VPATH or else with this file.
here := $(patsubst %/,%,$(or $(VPATH),$(dir $(lastword $(MAKEFILE_LIST)))))

ifneq ($(filter-out $(SCRIPTED),$(or $(MAKECMDGOALS),all)),)

# The compiler makes no folder for what it writes.
ifneq ($(here),.)
$(shell mkdir -p src)
endif

MODULE_big = awspool
# From the ground up: a file calls only those before it (make lint).
OBJS = \
	src/durability.o \
	src/relation.o \
	src/constraint.o \
	src/account.o \
	src/status.o \
	src/query.o \
	src/state.o \
	src/access.o \
	src/tally_row.o \
	src/tally.o \
	src/recount.o \
	src/arrival.o \
	src/lifecycle.o \
	src/row.o \
	src/pool_start.o \
	src/tally_read.o \
	src/pool.o \
	src/holder.o \
	src/pause.o \
	src/head.o \
	src/lookup.o \
	src/registry.o \
	src/stock.o \
	src/history.o \
	src/claim.o \
	src/order.o \
	src/overdue.o \
	src/blocked.o \
	src/explain.o \
	src/batch.o \
	src/csv.o \
	src/import.o \
	src/reconcile.o \
	src/passed_over.o \
	src/sequence.o \
	src/visible.o \
	src/read.o \
	src/read_plan.o \
	src/view.o \
	src/verify.o \
	src/freeze.o \
	src/awspool.o

EXTENSION = awspool
DATA = $(sort $(notdir $(wildcard $(here)/awspool--*.sql)))
# The documents keep their places towards each other, so that links lead somewhere.
DOCUMENTS = README.md SECURITY.md CHANGELOG.md CONTRIBUTING.md LICENSE \
	doc/awspool.md doc/torture.md doc/failover.md doc/model.md doc/scale.md doc/portal.png \
	bench/results.md bench/results.svg \
	$(patsubst %,bench/%/results.md,limit before bare batch instructions counts reads reads-100) \
	$(addprefix test/clients/,psycopg3.py sqlalchemy_orm.py django_orm.py \
		node_postgres.js drizzle.js typeorm.js Jdbc.java) \
	$(addprefix contrib/monitoring/,README.md queries.yaml rules.yaml rules-test.yaml psqlrc) \
	$(addprefix contrib/portal/,index.php request.php form.php changes.php portal.js adminer.css) \
	$(addprefix contrib/scale/,reader.sql aliases move registry.sql registry-shard.sql)
PGFILEDESC = "awspool - pools of AWS accounts, each sold once"

# install.sql creates the extension for all that follow, and for one alone.  The
# database is the same whatever the cluster's locale, so is the order of rows.
REGRESS = $(basename $(notdir $(wildcard $(here)/sql/*.sql)))
override REGRESS := $(if $(REGRESS),install $(filter-out install,$(sort $(REGRESS))))
REGRESS_OPTS = --encoding=UTF8 --no-locale

ISOLATION = $(sort $(basename $(notdir $(wildcard $(here)/test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=$(here)/test --encoding=UTF8 --no-locale

# Those that take longest come first: some run at a time (test/suite.sh).
longest = $(patsubst %,test/t/%.pl,corpus dump attacks cron tally import pooler \
	read differential update)
PROVE_TESTS = test/torture/torture.pl $(longest) $(filter-out $(longest), \
	$(patsubst $(here)/%,%,$(sort $(wildcard $(here)/test/t/*.pl))))

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

install: install-documents
uninstall: uninstall-documents

install-documents:
	@for document in $(DOCUMENTS); do \
		install -D -m 644 "$(here)/$$document" \
			"$(DESTDIR)$(docdir)/extension/awspool/$$document" || exit 1; \
	done

uninstall-documents:
	rm -rf '$(DESTDIR)$(docdir)/extension/awspool'

.PHONY: install-documents uninstall-documents

# What PGXS calls so, under that name: of installcheck it would be a part if
# TAP_TESTS were set, and could not be left out.
prove_installcheck:
	$(prove_installcheck)

.PHONY: prove_installcheck

$(OBJS) $(OBJS:.o=.bc): src/awspool.h

# Warnings in the server's headers are not ours to mend, hence -isystem.
lint:
	@objects=$$(mktemp -d) && trap 'rm -r "$$objects"' EXIT && \
	mkdir "$$objects/src" && \
	for compiler in "$(or $(CLANG),clang)" "$(CC)"; do \
		printf '%s\n' $(OBJS:.o=) | xargs -P "$$(nproc)" -I{} $$compiler \
			-O2 -fPIC -Wall -Wextra -Wno-unused-parameter -Werror \
			-isystem $(includedir_server) $(CPPFLAGS) \
			-c -o "$$objects/{}.o" $(here)/{}.c || exit 1; \
	done && \
	cd "$$objects/src" && bash $(abspath $(here))/test/layers.sh $(notdir $(OBJS))

endif

demo:
	@bash $(here)/doc/demo.sh

demo-psql:
	@bash $(here)/doc/demo.sh psql

portal:
	@bash $(here)/contrib/portal.sh

test-portal:
	@bash $(here)/contrib/portal.sh test

deb:
	@bash $(here)/debian/make.sh

test-deb:
	@bash $(here)/test/deb.sh 15 17 18 19

dist:
	@bash $(here)/test/dist.sh

test:
	@bash $(here)/test/run.sh

test-servers:
	@bash $(here)/test/servers.sh 15 17 18 19

test-upgrade:
	@bash $(here)/test/upgrade.sh

test-update:
	@bash $(here)/test/update.sh

test-pitr:
	@bash $(here)/test/pitr.sh

test-ha:
	@bash $(here)/test/ha.sh

test-scale:
	@bash $(here)/test/scale.sh $(SECONDS)

test-clients:
	@bash $(here)/test/clients.sh

sqlsmith:
	@bash $(here)/test/checked.sh sqlsmith $(or $(SECONDS),600)

fuzz:
	@bash $(here)/test/fuzz.sh $(or $(SECONDS),60) $(INPUT)

torture:
	@bash $(here)/test/torture.sh $(SECONDS)

torture-bugs:
	@bash $(here)/test/torture-bugs.sh

model:
	@bash $(here)/test/model.sh

bench:
	@bash $(here)/bench/run.sh

bench-scale:
	@bash $(here)/bench/scale.sh

analyze:
	@bash $(here)/test/analyze.sh

$(CHECKED):
	@bash $(here)/test/checked.sh $@

coverage:
	@bash $(here)/test/coverage.sh

soak:
	@CALLS=$(or $(CALLS),10000000) PROVE_TESTS=test/t/memory.pl bash $(here)/test/run.sh

test-monitoring:
	@bash $(here)/test/monitoring.sh

.PHONY: lint $(SCRIPTED)
