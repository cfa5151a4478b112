# awspool is built with PGXS: make, make install and make installcheck do what
# they do for every PostgreSQL extension, with the server of PG_CONFIG.
#
#	make demo          see it work on a throw-away server
#	make demo-psql     the same pool, and you in psql on it
#	make test          every test, on server 15 (one alone: see test/run.sh)
#	make test-servers  every test, on 15, 17 and 18
#	make test-upgrade  a pool that pg_upgrade takes from 15 to 17 to 18
#	make fuzz          files that nobody thought of, for SECONDS=60
#	make torture       what clients are told while servers die, for SECONDS=300
#	make torture-bugs  whether that finds the bugs it should
#	make bench         how fast it claims, against what is possible
#	make analyze       what the static analyzers of gcc and clang find
#	make asserts       every test on a server built with assertions; likewise
#	                   make asan, valgrind, discard: see test/checked.sh
#	make coverage      which lines the tests reach
#	make soak          ten million calls in a session, or CALLS: what memory grows
#	make lint          what gcc and clang have to say, as errors
#
# All but the last install what they need, so they also work where there is no
# pg_config yet: PGXS is read for other goals only.  Servers that take long to
# make are kept, in .servers and .fuzz.
CHECKED = asserts asan valgrind discard
SCRIPTED = demo demo-psql test test-servers test-upgrade fuzz torture \
	torture-bugs bench analyze $(CHECKED) coverage soak

ifneq ($(filter-out $(SCRIPTED),$(or $(MAKECMDGOALS),all)),)

MODULE_big = awspool
# From the ground up: a file calls only those before it (make lint).
OBJS = \
	src/durability.o \
	src/constraint.o \
	src/relation.o \
	src/account.o \
	src/status.o \
	src/query.o \
	src/access.o \
	src/row.o \
	src/pool_start.o \
	src/head.o \
	src/lookup.o \
	src/lifecycle.o \
	src/stock.o \
	src/history.o \
	src/claim.o \
	src/order.o \
	src/batch.o \
	src/csv.o \
	src/import.o \
	src/replica.o \
	src/visible.o \
	src/read.o \
	src/read_plan.o \
	src/view.o \
	src/awspool.o

EXTENSION = awspool
DATA = $(sort $(wildcard awspool--*.sql))
PGFILEDESC = "awspool - pools of AWS accounts, each sold once"

# install.sql creates the extension for all that follow, and for one alone.  The
# database is the same whatever the cluster's locale, so is the order of rows.
REGRESS = $(basename $(notdir $(wildcard sql/*.sql)))
override REGRESS := $(if $(REGRESS),install $(filter-out install,$(sort $(REGRESS))))
REGRESS_OPTS = --encoding=UTF8 --no-locale

ISOLATION = $(sort $(basename $(notdir $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --encoding=UTF8 --no-locale

# These start servers of their own, and a server does not run as root.
ifneq ($(shell id -u),0)
TAP_TESTS = 1
PROVE_TESTS = test/t/*.pl test/torture/torture.pl
endif

PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS) $(OBJS:.o=.bc): src/awspool.h

# Warnings in the server's headers are not ours to mend, hence -isystem.
lint:
	@objects=$$(mktemp -d) && trap 'rm -r "$$objects"' EXIT && \
	for compiler in "$(or $(CLANG),clang)" "$(CC)"; do \
		for source in $(OBJS:.o=.c); do \
			$$compiler -O2 -fPIC -Wall -Wextra -Wno-unused-parameter -Werror \
				-isystem $(includedir_server) $(CPPFLAGS) \
				-c -o "$$objects/$$(basename $$source .c).o" $$source || exit 1; \
		done; \
	done && \
	cd "$$objects" && bash $(CURDIR)/test/layers.sh $(notdir $(OBJS))

endif

demo:
	@bash doc/demo.sh

demo-psql:
	@bash doc/demo.sh psql

test:
	@bash test/run.sh

test-servers:
	@bash test/servers.sh 15 17 18

test-upgrade:
	@bash test/upgrade.sh

fuzz:
	@bash test/fuzz.sh $(or $(SECONDS),60) $(INPUT)

torture:
	@bash test/torture.sh $(SECONDS)

torture-bugs:
	@bash test/torture-bugs.sh

bench:
	@bash bench/run.sh

analyze:
	@bash test/analyze.sh

$(CHECKED):
	@bash test/checked.sh $@

coverage:
	@bash test/coverage.sh

soak:
	@CALLS=$(or $(CALLS),10000000) PROVE_TESTS=test/t/memory.pl bash test/run.sh

.PHONY: lint $(SCRIPTED)
