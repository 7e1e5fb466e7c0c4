/* Any bytes as an answer of the DNS, asked for with any type. */
#include <string.h>

#include "dns.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = { DNS_A, DNS_CNAME, DNS_PTR,
		DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA };
	struct dns_answer a;

	if (size == 0)
		return 0;
	(void)dns_parse(data + 1, size - 1,
	    types[data[0] % (sizeof(types) / sizeof(types[0]))], &a);
	dns_answer_free(&a);
	return 0;
}
