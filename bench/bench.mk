# make bench: the suite beside Postfix and Dovecot, into bench/RESULTS.md

$(O)/bench/load: $(O)/o/bench/load.o
	@mkdir -p $(O)/bench
	$(CC) $(LDFLAGS) -o $@ $<
$(O)/bench/disk: $(O)/o/bench/disk.o
	@mkdir -p $(O)/bench
	$(CC) $(LDFLAGS) -o $@ $< -lpthread

$(O)/bench/sink: $(O)/o/bench/sink.o
	@mkdir -p $(O)/bench
	$(CC) $(LDFLAGS) -o $@ $<

bench: all $(O)/bench/load $(O)/bench/disk $(O)/bench/sink
	CG_OBJ=$(abspath $(O)) bench/run --write
