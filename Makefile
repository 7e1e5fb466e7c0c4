# cgate: plain make, no configure.  See README and HACKING.

include config.mk

ifneq ($(SAN),)
# Instrumented code makes gcc see variables that may be unset.
SANFLAGS	= -fsanitize=$(SAN) -fno-omit-frame-pointer -DCG_SANITIZE \
		  -Wno-unknown-warning-option -Wno-maybe-uninitialized
HARDEN		= -fPIE
OPT		= -O1 -g
endif

CFLAGS		= -std=c11 $(OPT) $(WARN) $(HARDEN) $(SANFLAGS)
CPPFLAGS	= $(DEFS) -I. -Ilib -Istore -Icli
LDFLAGS		= $(LDHARDEN) $(SANFLAGS)

LIBS		= -levent_core -lssl -lcrypto -lcrypt -lseccomp -licuuc -lidn2 -lbsd \
		  -lpthread
LIBS_authd-priv	= -lpam
LIBS_smtpd-send	= -lcares

# A library is a directory; a program is a directory, or the part of one that
# is named here.
LIB_SRC		:= $(wildcard lib/*.c)
STORE_SRC	:= $(wildcard store/*.c)
CLI_SRC		:= $(wildcard cli/*.c)
POPSESSION_SRC	:= $(wildcard pop3d/session/*.c)
IMAPSESSION_SRC	:= $(wildcard imapd/session/*.c)
LIBCG		= $(O)/libcg.a
LIBSTORE	= $(O)/libstore.a
LIBCLI		= $(O)/libcli.a
LIBPOP		= $(O)/libpopsession.a
LIBIMAP		= $(O)/libimapsession.a

DAEMONS		= logd authd authd-priv routerd queued smtpd smtpd-send pop3d \
		  imapd pwdd stored stored-delivery stored-worker
SBIN		= cgserver cgctl
BIN		= cgmail

SRC_authd	:= $(filter-out authd/priv%,$(wildcard authd/*.c))
SRC_authd-priv	:= $(wildcard authd/priv*.c)
SRC_smtpd-send	:= $(wildcard smtpd/send/*.c)
SRC_stored	:= $(filter-out stored/delivery% stored/worker%,\
		     $(wildcard stored/*.c))
SRC_stored-delivery := $(wildcard stored/delivery*.c)
SRC_stored-worker := $(wildcard stored/worker*.c)
ARS_pwdd	= $(LIBCLI)
ARS_cgctl	= $(LIBCLI)
ARS_stored	= $(LIBSTORE)
ARS_stored-delivery = $(LIBSTORE)
ARS_stored-worker = $(LIBIMAP) $(LIBPOP) $(LIBSTORE)

PROGS		= $(DAEMONS) $(SBIN) $(BIN)

.PHONY: all check asan fuzz bench soak install uninstall clean format tidy
all: $(PROGS:%=$(O)/%)

$(O)/o/%.o: %.c
	@mkdir -p $(dir $@)
	$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

objs = $(patsubst %.c,$(O)/o/%.o,$(1))

$(LIBCG): $(call objs,$(LIB_SRC))
$(LIBSTORE): $(call objs,$(STORE_SRC))
$(LIBCLI): $(call objs,$(CLI_SRC))
$(LIBPOP): $(call objs,$(POPSESSION_SRC))
$(LIBIMAP): $(call objs,$(IMAPSESSION_SRC))
$(O)/%.a:
	@rm -f $@
	ar rcs $@ $^

define program
SRC_$(1) ?= $$(wildcard $(1)/*.c)
$$(O)/$(1): $$(call objs,$$(SRC_$(1))) $$(ARS_$(1)) $$(LIBCG)
	$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LIBS_$(1)) $$(LIBS)
endef
$(foreach p,$(PROGS),$(eval $(call program,$(p))))

include regress/regress.mk
include bench/bench.mk
include etc/install.mk

# Kept in the tree: run it after a change of the table.
man/settings.5: lib/settings_table.c man/mksettings.c
	@mkdir -p $(O)
	$(CC) $(CFLAGS) $(CPPFLAGS) -o $(O)/mksettings \
	    man/mksettings.c lib/settings_table.c
	$(O)/mksettings > $@

man/cli.7: $(CLI_SRC) man/mkcli.c | $(LIBCLI) $(LIBCG)
	@mkdir -p $(O)
	$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) -o $(O)/mkcli man/mkcli.c \
	    $(LIBCLI) $(LIBCG) $(LIBS)
	$(O)/mkcli > $@

format:
	clang-format -i $$(git ls-files '*.[ch]')

clean:
	rm -rf $(O) obj-asan obj-fuzz

-include $(shell test -d $(O) && find $(O) -name '*.d')
