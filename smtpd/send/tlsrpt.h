/* How TLS with other hosts went, by days and domains (RFC 8460). */
#ifndef CG_SEND_TLSRPT_H
#define CG_SEND_TLSRPT_H

struct chan;
struct val;

/* A connection to the channel's host is encrypted as its policy wants it. */
void	tlsrpt_good(const struct chan *);
/* It is not; result: a type of RFC 8460, 4.3. */
void	tlsrpt_bad(const struct chan *, const char *result);
/* A domain's MTA-STS policy is not to be had. */
void	tlsrpt_domain(const char *domain, const char *result);
/* All counts that are young enough, for the next life; and from the last. */
void	tlsrpt_save(struct val *dict);
void	tlsrpt_load(const struct val *dict);
#endif
