# make check	unit tests, ten seconds of each fuzz target, and every script
#		of regress/ against real daemons
# make asan	the same scripts and unit tests in a sanitizer build
# make fuzz	a minute a target
# make soak	ten times the kills, five times the losses of power, a quarter
#		of an hour of fifty IMAP clients, and the unit under a real
#		systemd (that as root, with the packages debootstrap and
#		systemd-container)

UNIT_SRC	:= $(wildcard regress/unit/*.c)
UNITS		= $(UNIT_SRC:regress/unit/%.c=$(O)/unit/%)
UNITARS		= $(LIBIMAP) $(LIBPOP) $(LIBCLI) $(LIBSTORE) $(LIBCG)
# What can be executed there is a test; the rest is shared by tests.
SCRIPTS		:= $(shell find regress/proto regress/crash \
		    regress/clients -name "*.py" -perm -u+x)
RUN		= CG_OBJ=$(abspath $(O)) regress/tools/run-tests

$(O)/unit/%: $(O)/o/regress/unit/%.o $(UNITARS)
	@mkdir -p $(O)/unit
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka \
	    $(LIBS) -lcrypt

# Fuzz targets are built by clang, libraries and all, beside the rest.
FUZZ_O		= obj-fuzz
FUZZ_SRC	:= $(wildcard regress/fuzz/*.c)
FUZZERS		= $(FUZZ_SRC:regress/fuzz/%.c=$(FUZZ_O)/fuzz/%)

.PRECIOUS: $(O)/o/regress/unit/%.o
.PHONY: unit fuzzers

unit: $(UNITS)
	$(RUN) $(UNITS)

fuzzers:
	$(MAKE) O=$(FUZZ_O) CC=clang SAN=fuzzer-no-link,address,undefined \
	    fuzz-link

.PHONY: fuzz-link
FUZZ_BIN	= $(FUZZ_SRC:regress/fuzz/%.c=$(O)/fuzz/%)
fuzz-link: $(FUZZ_BIN)
$(O)/fuzz/%: $(O)/o/regress/fuzz/%.o $(UNITARS)
	@mkdir -p $(O)/fuzz
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
	    $(filter %.a,$^) $(LIBS) -lcrypt

# Parts of a daemon that a test links by themselves.
ROUTER_CORE	= $(call objs,$(wildcard routerd/route.c routerd/route_*.c \
		  routerd/table*.c routerd/names.c routerd/map.c))
$(O)/unit/router $(O)/unit/route_table $(O)/fuzz/router: $(ROUTER_CORE)
NAMES_CORE	= $(call objs,routerd/names.c routerd/map.c routerd/members.c \
		  routerd/folder.c)
$(O)/unit/names $(O)/fuzz/members: $(NAMES_CORE)
$(O)/fuzz/dns: LIBS += -lcares
$(O)/unit/seal: $(O)/o/stored/seal.o
$(O)/unit/sts $(O)/fuzz/sts: $(O)/o/smtpd/send/sts_parse.o
$(O)/fuzz/sts: $(O)/o/smtpd/send/dane.o
$(O)/fuzz/sts: LIBS += -lcares
$(O)/unit/import $(O)/fuzz/import: $(O)/o/authd/import_list.o
$(O)/fuzz/pwd: $(O)/o/pwdd/session.o $(O)/o/pwdd/login.o \
		  $(O)/o/pwdd/command.o $(O)/o/pwdd/local.o

units: $(UNITS)
.PHONY: units check-all

check: all units fuzzers
	$(RUN) $(UNITS) $(FUZZERS) $(SCRIPTS)

ASAN		= O=obj-asan SAN=address,undefined
ASAN_OBJ	= $(abspath obj-asan)
ASAN_UNITS	= $(UNIT_SRC:regress/unit/%.c=obj-asan/unit/%)

asan:
	$(MAKE) $(ASAN) all units
	CG_OBJ=$(ASAN_OBJ) regress/tools/run-tests $(ASAN_UNITS) $(SCRIPTS)

# Both builds in one run, one line at its end: what bootstrap check runs.
check-all: all units fuzzers
	$(MAKE) $(ASAN) all units
	$(RUN) $(UNITS) $(FUZZERS) $(SCRIPTS) --asan $(ASAN_OBJ)

fuzz: fuzzers
	$(RUN) --fuzz-seconds 60 $(FUZZERS)

SOAK		= regress/crash/kill.py regress/crash/replay.py \
		  regress/crash/imap_many.py $(wildcard regress/soak/*.py)
soak: all
	CG_ROUNDS=2000 CG_CUTS=1000 CG_SECONDS=900 CG_CLIENTS=50 \
	    CG_ACCOUNTS=12 $(RUN) -j 1 --time-limit 10800 $(SOAK)
