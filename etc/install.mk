# make install, make uninstall.  Packagers give DESTDIR and PREFIX=/usr.
# Configuration is never overwritten, and stays when the rest goes; nothing
# outside these names is touched: no other mail server's sendmail or mail.

INITDIR		= /etc/init.d
PAMDIR		= /etc/pam.d
SYSUSERSDIR	= /usr/lib/sysusers.d
COMMANDS	= mail sendmail mailq
SECTIONS	= 1 5 7 8
MANPAGES	:= $(wildcard man/*.[1578])

FILL		= sed -e 's,@SBINDIR@,$(SBINDIR),g' \
		  -e 's,@SYSCONFDIR@,$(SYSCONFDIR),g' \
		  -e 's,@BASEDIR@,$(BASEDIR),g'

install: all
	@grep -qF '$(LIBEXECDIR)' $(O)/cgserver && \
	    grep -qF '$(SYSCONFDIR)/' $(O)/cgserver || { \
	    echo 'built for other places: make clean; make PREFIX=...' >&2; \
	    exit 1; }
	install -d $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(LIBEXECDIR) \
	    $(SYSCONFDIR) $(UNITDIR) $(INITDIR) $(PAMDIR) $(SYSUSERSDIR)) \
	    $(SECTIONS:%=$(DESTDIR)$(MANDIR)/man%)
	install -m 755 $(DAEMONS:%=$(O)/%) $(DESTDIR)$(LIBEXECDIR)
	install -m 755 $(SBIN:%=$(O)/%) $(DESTDIR)$(SBINDIR)
	install -m 755 $(BIN:%=$(O)/%) $(DESTDIR)$(BINDIR)
	for c in $(COMMANDS); do \
	    ln -sf cgmail $(DESTDIR)$(BINDIR)/$$c.cgate; done
	for m in $(MANPAGES); do \
	    install -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/; done
	$(FILL) etc/cgate.service > $(DESTDIR)$(UNITDIR)/cgate.service
	$(FILL) etc/init > $(DESTDIR)$(INITDIR)/cgate
	chmod 644 $(DESTDIR)$(UNITDIR)/cgate.service
	chmod 755 $(DESTDIR)$(INITDIR)/cgate
	install -m 644 etc/sysusers.conf \
	    $(DESTDIR)$(SYSUSERSDIR)/cgate.conf
	test -e $(DESTDIR)$(SYSCONFDIR)/cgserver.conf || install -m 644 \
	    etc/cgserver.conf $(DESTDIR)$(SYSCONFDIR)/cgserver.conf
	test -e $(DESTDIR)$(PAMDIR)/cgate || install -m 644 \
	    etc/cgate.pam $(DESTDIR)$(PAMDIR)/cgate

uninstall:
	rm -rf $(DESTDIR)$(LIBEXECDIR)
	rm -f $(SBIN:%=$(DESTDIR)$(SBINDIR)/%) $(BIN:%=$(DESTDIR)$(BINDIR)/%)
	rm -f $(COMMANDS:%=$(DESTDIR)$(BINDIR)/%.cgate)
	for m in $(notdir $(MANPAGES)); do \
	    rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$$m; done
	rm -f $(DESTDIR)$(UNITDIR)/cgate.service $(DESTDIR)$(INITDIR)/cgate \
	    $(DESTDIR)$(SYSUSERSDIR)/cgate.conf
