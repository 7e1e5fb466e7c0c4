# make check: unit tests, then every test of regress/ against real daemons.
# make asan: the same in a sanitizer build.  make fuzz: 60 s a target.

UNIT_SRC	:= $(wildcard regress/unit/*.c)
UNITS		= $(UNIT_SRC:regress/unit/%.c=$(O)/unit/%)

$(O)/unit/%: $(O)/regress/unit/%.o $(LIBPOP) $(LIBCLI) $(LIBSTORE) $(LIBCG)
	@mkdir -p $(O)/unit
	$(CC) $(LDFLAGS) -o $@ $< $(LIBPOP) $(LIBCLI) $(LIBSTORE) $(LIBCG) \
	    -lcmocka $(LIBS)

.PRECIOUS: $(O)/regress/unit/%.o
.PHONY: unit
unit: $(UNITS)
	@for t in $(UNITS); do $$t || exit 1; done
