/* Any bytes as a TXT record and as a policy of MTA-STS, and as TLSA records. */
#include <stdlib.h>
#include <string.h>

#include "dns.h"
#include "log.h"
#include "smtpd/send/dane.h"
#include "smtpd/send/sts.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
tlsa(const uint8_t *data, size_t size)
{
	struct tlsa t[DANE_RECORDS];
	struct dns_answer a;
	struct buf keep;
	size_t i, n;

	buf_init(&keep, DANE_RECORDS * DANE_MAXDATA + 1);
	if (dns_parse(data, size, DNS_TLSA, &a) == 0) {
		n = dane_records(&a, t, &keep);
		for (i = 0; i < n; i++)
			if (t[i].data < (unsigned char *)keep.p ||
			    t[i].data + t[i].len >
			    (unsigned char *)keep.p + keep.len)
				panic("a record lies elsewhere");
	}
	dns_answer_free(&a);
	buf_free(&keep);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1), id[STS_ID];
	struct sts_policy p;

	memcpy(text, data, size);
	if (sts_record(text, id) && (*id == '\0' || strlen(id) >= STS_ID))
		panic("no id");
	if (sts_policy(&p, (const char *)data, size)) {
		if (sts_allows(&p, "a.b.example") && *p.mx == '\0')
			panic("nobody is allowed");
		free(p.mx);
	}
	free(text);
	tlsa(data, size);
	return 0;
}
