# make bench: the suite beside Postfix and Dovecot, into bench/RESULTS.md

$(O)/bench/load: $(O)/bench/load.o
	$(CC) $(LDFLAGS) -o $@ $<
$(O)/bench/disk: $(O)/bench/disk.o
	$(CC) $(LDFLAGS) -o $@ $< -lpthread

bench: all $(O)/bench/load $(O)/bench/disk
	CG_OBJ=$(abspath $(O)) bench/run --write
