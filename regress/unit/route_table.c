/*
 * Every routing example of the manual and its three how-tos: what there is
 * (main domain, accounts), the Routing Table, an address, and what becomes of
 * it.  Each stands under its chapter's number.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "iplist.h"
#include "log.h"
#include "../../routerd/route.h"

/* Mail from anywhere or from a client's address, logins to two addresses. */
enum { STRANGER, CLIENT, LOGIN, LOGIN2, SIGNAL };
#define ADDRESS1	"192.0.0.1"
#define ADDRESS2	"192.0.0.2"

/*
 * An installation.  Words of what: "x.com:" begins a domain (the first is the
 * main one), "john" is an account, "js>john" an alias, "jim=a@b" a forwarder,
 * "all%" a group, "@mail.x.com" a domain's alias, "#192.0.2.1" its address,
 * "?text" where its unknown names go ("?" discards them, "!" bounces them).
 */
struct place {
	const char	*what;
	const char	*all_aliases;
	const char	*add_domain;
	const char	*forward;
	struct names	 names;
	struct map	*addresses;
};

struct example {
	const char	*chapter;
	struct place	*place;
	const char	*table;		/* NULL: the one before */
	int		 mode;
	const char	*address;
	/* module|host|address, and " +" if everybody may; or the code */
	const char	*expect;
};

static struct place stalker = { .what = "stalker.com: support john unified "
	"sales sales-client1 sales.cl2 uuabc hr#x" };
static struct place mycompany = { .what = "mycompany.com: postmaster bill "
	"john junk sales sales-client1 cl5-sales cl5-info cl7-sales public "
	"info abcdef nnnnn cl1 client: bill client.com: bill info sales john "
	"hq.client.com: staff support nnnnn: xyz subdomain.com: xyz",
	.all_aliases = "<abuse> = postmaster@mycompany.com\n" };
static struct place any_names = { .what = "mycompany.com: postmaster "
	"x.com: john",
	.all_aliases = "<postmaster> = anyname@postmaster.local\n"
	"<sales> = mailboxName#postmaster\n" };
static struct place xyz = { .what = "main.com: john "
	"dept1.xyz.com: john dept2.xyz.com: ann" };
static struct place company = { .what = "company.com: info shop john client "
	"client-jim client.com: info order shop-info shop-order joe "
	"@www.client.com client1.com: info client2.com: info" };
static struct place unified = { .what = "main.com: client client-jim "
	"dd-customer domain.dom "
	"company.com: unknowns ?*%Unknowns@company.com.domain" };
static struct place web = { .what = "provider.com: x client.com: jsmith "
	"domainb.com: usera sub.domain.com: x company.com: x "
	"@mail.company.com client1.com: info @mail.client1.com" };
static struct place aliased = { .what = "main.com: x "
	"company.com: info @mail.company.com @relay.company.com" };
static struct place multihomed = { .what = "company.com: info john "
	"#" ADDRESS1 " client1.com: info j.smith #" ADDRESS2 " "
	"client2.com: info" };
static struct place moved = { .what = "company.com: john js>john "
	"john_smith>john client1.com: j.smith" };
static struct place forwarders = { .what = "main.com: x "
	"client1.com: ann jim=john@otherdomain.com staff%" };
static struct place unknown = { .what = "company.com: postmaster "
	"?bad-*@monitoring.department.com client1.com: postmaster jim "
	"?Bad-*@support.company.com client2.com: x ?Postmaster "
	"client3.com: postmaster ?postmaster@client3.com client4.com: y ? "
	"client5.com: y ! unified.com: unknowns ?*%Unknowns@unified.com.domain" };
static struct place migrating = { .what = "main.com: x "
	"domain.dom: here ?*%domain.dom@otherserver.dom.smtp "
	"via.dom: here ?*%via.dom@otherserver.dom.via "
	"ip.dom: here ?*%ip.dom@[11.22.33.44]" };
static struct place provider = { .what = "provider.com: postmaster "
	"domain.dom: username LoginPage1" };
static struct place main_is_domain = { .what = "domain.dom: username" };
static struct place myorg = { .what = "main.myorg.org: john",
	.add_domain = "myorg.org" };
static struct place forwarded = { .what = "main.com: john",
	.forward = "relay.provider.com" };
static struct place plain = { .what = "main.com: postmaster john root1 cl1" };
static struct place mydomain = { .what = "mydomain.com: joe1 other.com: user" };
static struct place smith = { .what = "main.com: x domain.dom: smith john.x" };
static struct place sendmail = { .what = "main.com: x domain.dom: john.smith "
	"smith>john.smith j.smith>john.smith susan.smith=susan@otherisp.dom" };
static struct place objects = { .what = "main.com: x domain2.com: j.smith "
	"smith>j.smith jsmith>j.smith js=j.smith" };
static struct place corp = { .what = "main.com: x corp.com: ann "
	"domain.com: ann ?*%domain.com@mainserver.smtp" };

static const struct example examples[] = {
/* --- 29: everything through a forwarding server, but for addresses --- */
{ "29", &forwarded, "near.com = near.com@host.com.smtp", STRANGER,
    "user@far.com", "SMTP|relay.provider.com|user@far.com" },
{ "29", &forwarded, NULL, CLIENT, "user@far.com",
    "SMTP|relay.provider.com|user@far.com +" },
{ "29", &forwarded, NULL, STRANGER, "user@[12.34.56.78]",
    "SMTP|[12.34.56.78]|user@[12.34.56.78]" },
{ "29", &forwarded, NULL, STRANGER, "user@near.com",
    "SMTP|host.com|user@near.com +" },
{ "29", &forwarded, NULL, STRANGER, "john@main.com", "LOCAL|john| +" },
/* --- 27: domain and local parts, the Main Domain --- */
{ "27", &stalker, "zzzz = zzzz.smtp", STRANGER, "<@zzzz:xxxx@yyyyy>",
    "SMTP|zzzz|xxxx@yyyyy" },
{ "27", &stalker, NULL, STRANGER, "zzzz!yyyyy!xxxx",
    "SMTP|zzzz|xxxx@yyyyy" },
{ "27", &stalker, NULL, STRANGER, "xxxx%yyyyy@zzzz",
    "SMTP|zzzz|xxxx@yyyyy" },
{ "27", &stalker, "", STRANGER, "support@stalker.com", "LOCAL|support| +" },
{ "27", &stalker, NULL, STRANGER, "<@stalker.com:sales@gamma.com>",
    "SMTP|gamma.com|sales@gamma.com" },

/* --- 27: the table that is shown --- */
{ "27", &stalker,
    "fax.stalker.co      = stalker.com       ; -> to the same domain\n"
    "hq.stalker.com      = newhq.stalker.com ; -> to some other server\n"
    "Relay:*.test.com    = stalker.com       ; aaa.test.com, bbb.test.com\n"
    "; just a comment line\n"
    "<sales>             = john              ; simple alias\n"
    "<sales@client1.com> = sales-client1     ; simple foreign alias\n"
    "<info@client1.com>  = info@otherhost.com; account -> other account\n"
    "<*@client2.com>     = *.cl2             ; sales@.. -> sales.cl2\n"
    "test.com            = Unified.local     ; unified Domain-Wide Account\n",
    STRANGER, "john@fax.stalker.co", "LOCAL|john| +" },
{ "27", &stalker, NULL, STRANGER, "x@hq.stalker.com",
    "SMTP|newhq.stalker.com|x@newhq.stalker.com +" },
{ "27", &stalker, NULL, STRANGER, "john@aaa.test.com", "LOCAL|john| +" },
{ "27", &stalker, NULL, STRANGER, "john@bbb.test.com", "LOCAL|john| +" },
{ "27", &stalker, NULL, STRANGER, "sales@stalker.com", "LOCAL|john| +" },
{ "27", &stalker, NULL, STRANGER, "sales@client1.com",
    "LOCAL|sales-client1| +" },
{ "27", &stalker, NULL, STRANGER, "info@client1.com",
    "SMTP|otherhost.com|info@otherhost.com +" },
{ "27", &stalker, NULL, STRANGER, "sales@client2.com",
    "LOCAL|sales.cl2| +" },
{ "27", &stalker, NULL, STRANGER, "Any.One@test.com",
    "LOCAL|unified|Any.One +" },
{ "27", &stalker, NULL, LOGIN, "sales@client2.com", "LOCAL|sales.cl2| +" },

/* --- 27: domain-level records --- */
{ "27", &stalker, "hq.stalker.com = twisted.stalker.com", STRANGER,
    "a@hq.stalker.com", "SMTP|twisted.stalker.com|a@twisted.stalker.com +" },
{ "27", &stalker, "hq.stalker.com = hq.stalker.com@relay.stalker.com",
    STRANGER, "a@hq.stalker.com",
    "SMTP|relay.stalker.com|a%hq.stalker.com@relay.stalker.com +" },
{ "27", &stalker, "*.old_company.com = new_company.com", STRANGER,
    "a@any.old_company.com", "SMTP|new_company.com|a@new_company.com +" },
{ "27", &mycompany, "*.mycompany.com = mycompany.com", STRANGER,
    "john@mail.mycompany.com", "LOCAL|john| +" },
{ "27", &stalker, "*.old_company.com = *.new_company.com", STRANGER,
    "a@host5.old_company.com",
    "SMTP|host5.new_company.com|a@host5.new_company.com +" },
{ "27", &mycompany, "system-*.mycompany.com = uu*.uucp", STRANGER,
    "a@system-abc.mycompany.com", "SMTP|uuabc.uucp|a@uuabc.uucp +" },

/* --- 27: aliases --- */
{ "27", &mycompany, "<sales> = Bill", STRANGER, "sales@mycompany.com",
    "LOCAL|bill| +" },
{ "27", &mycompany, "<sales@mycompany.com> = Bill", STRANGER,
    "sales@mycompany.com", "LOCAL|sales| +" },
{ "27", &mycompany, "<junk@mycompany.com> = Bill", STRANGER,
    "junk@mycompany.com", "LOCAL|junk| +" },
{ "27", &mycompany, "<sales> = Bill@thatcompany.com", STRANGER,
    "sales@mycompany.com", "SMTP|thatcompany.com|Bill@thatcompany.com +" },
{ "27", &mycompany, "<dept-*> = postmaster@*-dept.mycompany.com", STRANGER,
    "dept-sales@mycompany.com", "SMTP|sales-dept.mycompany.com|"
    "postmaster@sales-dept.mycompany.com +" },
{ "27", &mycompany, "<sales@client.com> = Bill@client.com", STRANGER,
    "sales@client.com", "LOCAL|bill@client.com| +" },
{ "27", &mycompany, "<sales@client.com> = Bill", STRANGER,
    "sales@client.com", "LOCAL|bill| +" },
{ "27", &mycompany, "<sales@client1.com> = sales-client1\n"
    "client1.com = new.client1.com", STRANGER, "sales@client1.com",
    "LOCAL|sales-client1| +" },
{ "27", &mycompany, NULL, STRANGER, "other@client1.com",
    "SMTP|new.client1.com|other@new.client1.com +" },
{ "27", &mycompany, "<*@client5.com> = cl5-*\n<*@client7.com> = cl7-*",
    STRANGER, "sales@client5.com", "LOCAL|cl5-sales| +" },
{ "27", &mycompany, NULL, STRANGER, "info@client5.com", "LOCAL|cl5-info| +" },
{ "27", &mycompany, NULL, STRANGER, "sales@client7.com",
    "LOCAL|cl7-sales| +" },
{ "27", &mycompany, NULL, LOGIN, "sales@client7.com", "LOCAL|cl7-sales| +" },

/* --- 27: special addresses --- */
{ "27", &mycompany, "bad.company.com = null\n<junk> = null", STRANGER,
    "a@bad.company.com", "SYSTEM|NULL| +" },
{ "27", &mycompany, NULL, STRANGER, "junk@mycompany.com", "SYSTEM|NULL| +" },
{ "27", &mycompany, NULL, STRANGER, "MAILER-DAEMON@mycompany.com",
    "SYSTEM|NULL| +" },
{ "27", &mycompany, NULL, STRANGER, "x@NULL", "SYSTEM|NULL| +" },
{ "27", &mycompany, NULL, STRANGER, "null", "SYSTEM|NULL| +" },
{ "27", &mycompany, "bad.company.com = error\n<junk> = error", STRANGER,
    "a@bad.company.com", "550" },
{ "27", &mycompany, NULL, STRANGER, "junk@mycompany.com", "550" },
{ "27", &mycompany, "<junk> = blacklisted", STRANGER, "junk@mycompany.com",
    "591" },
{ "27", &mycompany, NULL, STRANGER, "x@BlackListed", "591" },
{ "27", &mycompany, NULL, STRANGER, "Blacklisted@mycompany.com", "591" },
{ "27", &mycompany, NULL, STRANGER, "x@Error", "550" },
{ "27", &mycompany, NULL, STRANGER, "error@mycompany.com", "550" },
{ "27", &mycompany, NULL, STRANGER, "spamtrap@mycompany.com", "550" },
{ "27", &xyz, "dept1.xyz.com = dept1.xyz.com.here\n"
    "dept2.xyz.com = dept2.xyz.com.here\n*.xyz.com = *.abc.com", STRANGER,
    "john@dept1.xyz.com", "LOCAL|john@dept1.xyz.com| +" },
{ "27", &xyz, NULL, STRANGER, "ann@dept2.xyz.com",
    "LOCAL|ann@dept2.xyz.com| +" },
{ "27", &xyz, NULL, STRANGER, "ann@dept1.xyz.com", "550" },
{ "27", &xyz, NULL, STRANGER, "john@dept3.xyz.com",
    "SMTP|dept3.abc.com|john@dept3.abc.com +" },
{ "27", &xyz, NULL, LOGIN, "john@dept1.xyz.com",
    "LOCAL|john@dept1.xyz.com| +" },

/* --- 27: IP addresses --- */
{ "27", &plain, "", CLIENT, "user@10.34.45.67",
    "SMTP|[10.34.45.67]|user@[10.34.45.67] +" },
{ "27", &plain, "[10.34.45.67] = main.com", STRANGER, "john@10.34.45.67",
    "LOCAL|john| +" },
{ "27", &multihomed, "", STRANGER, "info@[192.0.0.2]",
    "LOCAL|info@client1.com| +" },
{ "27", &multihomed, NULL, STRANGER, "info@192.0.0.1", "LOCAL|info| +" },
{ "27", &multihomed, NULL, STRANGER, "info%client2.com@[192.0.0.1]",
    "LOCAL|info@client2.com| +" },

/* --- 27: default records --- */
{ "27", &plain, "<root> = postmaster\nlocalhost =\nmailhost =\n"
    "<blacklist-admin*@blacklisted> = postmaster", STRANGER,
    "root@main.com", "LOCAL|postmaster| +" },
{ "27", &plain, NULL, STRANGER, "john@localhost", "LOCAL|john| +" },
{ "27", &plain, NULL, STRANGER, "john@mailhost", "LOCAL|john| +" },
{ "27", &plain, NULL, STRANGER, "root@localhost", "LOCAL|postmaster| +" },
{ "27", &plain, NULL, STRANGER, "blacklist-admin%x.org@blacklisted",
    "LOCAL|postmaster| +" },

/* --- 27: non-qualified domain names --- */
{ "27", &plain, "server1 = server1.myorg.org\n"
    "server2 = server2.myorg.org\nserver3 = server3.myorg.org", STRANGER,
    "user@server2", "SMTP|server2.myorg.org|user@server2.myorg.org +" },
{ "27", &plain, NULL, STRANGER, "user@server3",
    "SMTP|server3.myorg.org|user@server3.myorg.org +" },
{ "27", &plain, NULL, CLIENT, "user@server4", "550" },
{ "27", &myorg, "", CLIENT, "user@someserver",
    "SMTP|someserver.myorg.org|user@someserver.myorg.org +" },
{ "27", &myorg, NULL, STRANGER, "john@main", "LOCAL|john| +" },

/* --- 19: mapping --- */
{ "19", &aliased, "", STRANGER, "info@company.com",
    "LOCAL|info@company.com| +" },
{ "19", &aliased, NULL, STRANGER, "info@mail.company.com",
    "LOCAL|info@company.com| +" },
{ "19", &aliased, NULL, LOGIN, "info@relay.company.com",
    "LOCAL|info@company.com| +" },
{ "19", &company, "mail.company.com = company.com\n"
    "relay.company.com = company.com", STRANGER, "info@mail.company.com",
    "LOCAL|info| +" },
{ "19", &company, NULL, LOGIN, "info@relay.company.com", "LOCAL|info| +" },
{ "19", &company, "<*@mail.company.com>  = *@company.com\n"
    "<*@relay.company.com> = *@company.com", STRANGER,
    "info@relay.company.com", "LOCAL|info| +" },
{ "19", &company, "<*@shop.client.com> = shop-*@client.com", STRANGER,
    "info@shop.client.com", "LOCAL|shop-info@client.com| +" },
{ "19", &company, NULL, STRANGER, "order@shop.client.com",
    "LOCAL|shop-order@client.com| +" },
{ "19", &company, "<info@shop.client.com> = shop-info@client.com\n"
    "<order@shop.client.com> = shop-order@client.com\n"
    "<*@shop.client.com> = *@client.com", STRANGER, "info@shop.client.com",
    "LOCAL|shop-info@client.com| +" },
{ "19", &company, NULL, STRANGER, "order@shop.client.com",
    "LOCAL|shop-order@client.com| +" },
{ "19", &company, NULL, STRANGER, "joe@shop.client.com",
    "LOCAL|joe@client.com| +" },
{ "19", &unified, "client.com = client.local", STRANGER, "Any@client.com",
    "LOCAL|client|Any +" },
{ "19", &unified, "<*@client.com> = *@client.local", STRANGER,
    "Any@client.com", "LOCAL|client|Any +" },
{ "19", &unified, NULL, LOGIN, "any@client.com", "LOCAL|client|any +" },
{ "19", &unified, "<*@client.com> = client", STRANGER, "any@client.com",
    "LOCAL|client| +" },
{ "19", &unified, "<jim@client.com> = client-jim\n"
    "<*@client.com> = *@client.local", STRANGER, "jim@client.com",
    "LOCAL|client-jim| +" },
{ "19", &unified, NULL, STRANGER, "bob@client.com", "LOCAL|client|bob +" },

/* --- 29: SMTP --- */
{ "29", &plain, "company.dom = company.dom@smtp.company.dom.smtp", STRANGER,
    "a@company.dom", "SMTP|smtp.company.dom|a@company.dom +" },
{ "29", &plain, "client.com = mail.client.com", STRANGER,
    "wakeup@client.com", "SMTP|mail.client.com|wakeup@mail.client.com +" },
{ "29", &plain, NULL, CLIENT, "client.com-wakeup@main.com",
    "WAKEUP|mail.client.com|wakeup@mail.client.com +" },
{ "29", &plain, NULL, CLIENT, "Other.Com-WakeUp",
    "WAKEUP|other.com|wakeup@other.com +" },
{ "29", &plain, NULL, STRANGER, "client.com-wakeup@main.com", "550" },
{ "29", &plain, NULL, CLIENT, "main.com-wakeup@main.com", "550" },
{ "29", &plain, NULL, CLIENT, "x.com-wakeup-wakeup@main.com",
    "WAKEUP|x.com-wakeup|wakeup@x.com-wakeup +" },
{ "29", &plain, NULL, CLIENT, "client-wakeup@main.com", "550" },
{ "29", &plain, NULL, LOGIN, "client.com-wakeup@main.com", "550" },
{ "29", &plain, NULL, STRANGER, "client.com-wakeup@far.com",
    "SMTP|far.com|client.com-wakeup@far.com" },
{ "29", &plain, "", STRANGER, "user%domain.org@blacklisted", "591" },
{ "29", &plain, NULL, STRANGER, "abuse%somehost@blacklisted", "591" },
{ "29", &plain, NULL, STRANGER, "blacklist-admin%somehost@blacklisted",
    "591" },
{ "29", &plain, "<abuse*@blacklisted> = postmaster", STRANGER,
    "somebody%somehost@blacklisted", "591" },
{ "29", &plain, NULL, STRANGER, "abuse%somehost@blacklisted",
    "LOCAL|postmaster| +" },
{ "29", &plain, NULL, STRANGER, "blacklist-admin%somehost@blacklisted",
    "591" },
{ "29", &plain, "<blacklist-admin*@blacklisted> = postmaster", STRANGER,
    "blacklist-admin%somehost@blacklisted", "LOCAL|postmaster| +" },
{ "29", &plain, NULL, STRANGER, "abuse%somehost@blacklisted", "591" },
/* As it is printed: another name. */
{ "29", &plain, "<blacklisted-admin*@blacklisted> = postmaster", STRANGER,
    "blacklisted-admin%somehost@blacklisted", "LOCAL|postmaster| +" },
{ "29", &company,
    "sales.company.com = sales.company.com.smtp ; explicitly to SMTP\n"
    "*.company.com     = company.com            ; all others", STRANGER,
    "a@sales.company.com", "SMTP|sales.company.com|a@sales.company.com +" },
{ "29", &company, NULL, STRANGER, "info@any.company.com", "LOCAL|info| +" },
{ "29", &company, "sales.company.com = [192.0.0.1]\n"
    "*.company.com     = company.com", STRANGER, "a@sales.company.com",
    "SMTP|[192.0.0.1]|a@[192.0.0.1] +" },
{ "29", &plain, "client1.com = client1.com@host.com.smtp\n"
    "client2.com = client2.com@host.com.smtp\n"
    "client3.com = client3.com@host.com.smtp", STRANGER, "user@client2.com",
    "SMTP|host.com|user@client2.com +" },
{ "29", &plain, NULL, STRANGER, "user@client3.com",
    "SMTP|host.com|user@client3.com +" },
{ "29", &plain, "client1.com = client1.com@relay\n"
    "client2.com = client2.com@relay\nclient3.com = client3.com@relay\n"
    "relay = host.com.smtp", STRANGER, "user@client1.com",
    "SMTP|host.com|user@client1.com +" },
{ "29", &plain, NULL, STRANGER, "user@client3.com",
    "SMTP|host.com|user@client3.com +" },
{ "29", &plain, "client1.host = client1.host@relay\nrelay = host.com",
    STRANGER, "user@client1.host",
    "SMTP|host.com|user%client1.host@host.com +" },
{ "29", &plain, "client1.host = client1.host@relay\nrelay = host.com.smtp",
    STRANGER, "user@client1.host", "SMTP|host.com|user@client1.host +" },
{ "29", &plain, "client1.com = client1.com@relay\nrelay = host.com",
    STRANGER, "user@client1.com",
    "SMTP|host.com|user%client1.com@host.com +" },
{ "29", &plain, "local.com = [192.0.0.5:26]", STRANGER, "a@local.com",
    "SMTP|[192.0.0.5]:26|a@[192.0.0.5] +" },
{ "29", &plain, "<secret> = joe@[192.0.0.5:26]", STRANGER, "secret",
    "SMTP|[192.0.0.5]:26|joe@[192.0.0.5] +" },
{ "29", &plain, NULL, CLIENT, "a%b.org@[192.0.0.5:26]",
    "SMTP|[192.0.0.5]:26|a@b.org +" },
{ "29", &plain, NULL, CLIENT, "a@[192.0.0.5:0]", "501" },
{ "29", &plain, NULL, CLIENT, "a@[192.0.0.5:65536]", "501" },
{ "29", &plain, NULL, CLIENT, "a@[IPv6:2001:db8::1]",
    "SMTP|[ipv6:2001:db8::1]|a@[ipv6:2001:db8::1] +" },
{ "29", &plain, "secret.stalker.com = mail.stalker.com.26.smtp", STRANGER,
    "a@secret.stalker.com", "SMTP|mail.stalker.com:26|a@mail.stalker.com +" },

/* --- 30: LOCAL --- */
{ "30", &mycompany, "", STRANGER, "abcdef@nnnnn.local",
    "LOCAL|nnnnn|abcdef +" },
{ "30", &mycompany, NULL, STRANGER, "abcdef%xyz@nnnnn.domain",
    "LOCAL|xyz@nnnnn|abcdef +" },
{ "30", &mycompany, NULL, STRANGER, "abcdef", "LOCAL|abcdef| +" },
{ "30", &mycompany, NULL, STRANGER, "xyz@subdomain.com",
    "LOCAL|xyz@subdomain.com| +" },
{ "30", &mycompany, NULL, LOGIN, "LoginPage@mycompany.com",
    "LOCAL|LoginPage| +" },
{ "30", &mycompany, NULL, LOGIN, "LoginPage@subdomain.com",
    "LOCAL|LoginPage@subdomain.com| +" },
{ "30", &unknown, "", STRANGER, "james@company.com",
    "SMTP|monitoring.department.com|bad-james@monitoring.department.com +" },
{ "30", &mycompany, "client1.com = Cl1.local", STRANGER,
    "abcdef@client1.com", "LOCAL|cl1|abcdef +" },
{ "30", &mycompany, NULL, STRANGER, "xyz@client1.com", "LOCAL|cl1|xyz +" },
{ "30", &mycompany, "<*@client1.com>= Cl1", STRANGER, "xyz@client1.com",
    "LOCAL|cl1| +" },
{ "30", &unknown, "", STRANGER, "nobody@unified.com",
    "LOCAL|unknowns@unified.com|nobody +" },
{ "30", &unified, "", STRANGER, "nobody@company.com",
    "LOCAL|unknowns@company.com|nobody +" },
{ "30", &mycompany, "; a comment\n<sales> = sales#public\n;\n"
    "<support@client.com> = \"requests#staff\"@hq.client.com", STRANGER,
    "sales@mycompany.com", "LOCAL|public|sales# +" },
{ "30", &mycompany, NULL, STRANGER, "support@client.com",
    "LOCAL|staff@hq.client.com|requests# +" },
{ "30", &mycompany, NULL, LOGIN, "sales", "LOCAL|public|sales# +" },
{ "30", &mycompany, "", STRANGER, "Box#bill@client.com",
    "LOCAL|bill@client.com|Box# +" },
{ "30", &mycompany, NULL, STRANGER, "john+jokelists@mycompany.com",
    "LOCAL|john| +" },
{ "30", &mycompany, NULL, STRANGER, "abuse@client.com",
    "LOCAL|postmaster| +" },
{ "30", &any_names, "", STRANGER, "postmaster@x.com",
    "LOCAL|postmaster|anyname +" },
{ "30", &any_names, NULL, LOGIN, "postmaster", "LOCAL|postmaster|anyname +" },
{ "30", &any_names, NULL, STRANGER, "sales@x.com",
    "LOCAL|postmaster|mailboxName# +" },

/* --- 17: aliases and forwarders --- */
{ "17", &objects, "", STRANGER, "smith@domain2.com",
    "LOCAL|j.smith@domain2.com| +" },
{ "17", &objects, NULL, LOGIN, "jsmith@domain2.com",
    "LOCAL|j.smith@domain2.com| +" },
{ "17", &objects, NULL, STRANGER, "js@domain2.com",
    "LOCAL|j.smith@domain2.com| +" },

/* --- 18: unknown names --- */
{ "18", &unknown, "", STRANGER, "jjones@client1.com",
    "SMTP|support.company.com|Bad-jjones@support.company.com +" },
{ "18", &unknown, NULL, STRANGER, "jim@client1.com",
    "LOCAL|jim@client1.com| +" },
{ "18", &unknown, NULL, STRANGER, "nobody@client2.com",
    "LOCAL|postmaster| +" },
{ "18", &unknown, NULL, STRANGER, "nobody@client3.com",
    "LOCAL|postmaster@client3.com| +" },
{ "18", &unknown, NULL, STRANGER, "nobody@client4.com", "SYSTEM|NULL| +" },
{ "18", &unknown, NULL, LOGIN, "nobody@client4.com", "550" },
{ "18", &unknown, NULL, STRANGER, "nobody@client5.com",
    "LOCAL|nobody@client5.com| +" },
{ "18", &unknown, NULL, LOGIN, "nobody@client5.com", "550" },
{ "18", &company, "", STRANGER, "info@www.client.com",
    "LOCAL|info@client.com| +" },

/* --- 20, 21, 22: aliases, groups, forwarders --- */
{ "20", &moved, "", STRANGER, "js@company.com", "LOCAL|john| +" },
{ "21", &forwarders, "", STRANGER, "staff@client1.com",
    "LIST|staff@client1.com| +" },
{ "22", &forwarders, NULL, STRANGER, "jim@client1.com",
    "SMTP|otherdomain.com|john@otherdomain.com +" },
{ "22", &mycompany, "Relay: <jim@client1.com> = john@otherdomain.com",
    STRANGER, "jim@client1.com",
    "SMTP|otherdomain.com|john@otherdomain.com +" },

/* --- 07: relaying --- */
{ "07", &mydomain, "NoRelay:<user> = user@other.host", STRANGER, "user",
    "SMTP|other.host|user@other.host" },
{ "07", &mydomain, NULL, CLIENT, "user", "SMTP|other.host|user@other.host +" },
{ "07", &mydomain, "N:<user> = user@other.host", STRANGER, "user",
    "SMTP|other.host|user@other.host" },
{ "07", &mydomain, "Relay:<user> = user@other.host", STRANGER, "user",
    "SMTP|other.host|user@other.host +" },
{ "07", &mydomain, "R:<user> = user@other.host", STRANGER, "user",
    "SMTP|other.host|user@other.host +" },
{ "07", &mydomain, "<user> = user@other.host", STRANGER, "user",
    "SMTP|other.host|user@other.host +" },
{ "07", &mydomain, "Relay:clienthost.com = client1.com", STRANGER,
    "a@clienthost.com", "SMTP|client1.com|a@client1.com +" },
{ "07", &mydomain, NULL, STRANGER, "user%host1@clienthost.com",
    "SMTP|client1.com|user%host1@client1.com" },
{ "07", &mydomain, NULL, STRANGER, "<@clienthost.com:user@host1>",
    "SMTP|client1.com|user%host1@client1.com" },
{ "07", &mydomain, NULL, STRANGER, "\"user%host1\"@clienthost.com",
    "SMTP|client1.com|\"user%host1\"@client1.com" },
/* As it is printed: a name of the Main Domain. */
{ "07", &mydomain, "Relay:<*@clienthost.com> = client1.com", STRANGER,
    "a@clienthost.com", "550" },
{ "07", &mydomain, "RelayAll:<report-*@clienthost.com> = "
    "report-*@client1.com", STRANGER, "report-a@clienthost.com",
    "SMTP|client1.com|report-a@client1.com +" },
{ "07", &mydomain, NULL, STRANGER, "report-a%host1@clienthost.com",
    "SMTP|client1.com|report-a%host1@client1.com +" },
{ "07", &mydomain, "NoRelay:bigprovdier.com = "
    "bigprovdier.com@relay3.com.smtp\n<joe> = joe5@bigprovdier.com",
    STRANGER, "x@bigprovdier.com", "SMTP|relay3.com|x@bigprovdier.com" },
{ "07", &mydomain, NULL, CLIENT, "x@bigprovdier.com",
    "SMTP|relay3.com|x@bigprovdier.com +" },
{ "07", &mydomain, NULL, STRANGER, "joe@mydomain.com",
    "SMTP|relay3.com|joe5@bigprovdier.com +" },
{ "07", &mydomain, "", STRANGER, "a@far.org", "SMTP|far.org|a@far.org" },
{ "07", &mydomain, NULL, CLIENT, "a@far.org", "SMTP|far.org|a@far.org +" },
{ "07", &mydomain, "offenderdomain.com = error", STRANGER,
    "a@offenderdomain.com", "550" },
{ "07", &mydomain, "<*@offenderdomain.com> = error", STRANGER,
    "a@offenderdomain.com", "550" },
{ "07", &mydomain, "<promo*@offenderdomain.com> = error", CLIENT,
    "promo77@offenderdomain.com", "550" },
{ "07", &mydomain, NULL, CLIENT, "a@offenderdomain.com",
    "SMTP|offenderdomain.com|a@offenderdomain.com +" },
{ "07", &mydomain, "<misterX> = spamtrap\n"
    "<johnsmith@subdomain.com> = spamtrap", STRANGER,
    "misterX@mydomain.com", "550" },
{ "07", &mydomain, NULL, STRANGER, "johnsmith@subdomain.com", "550" },

/* --- 33: PIPE --- */
{ "33", &plain, "", CLIENT, "\"execjoe -l store\"@pipe",
    "PIPE||execjoe -l store +" },
{ "33", &plain, "<*@somedomain> = exec*@pipe", STRANGER, "joe@somedomain",
    "PIPE||execjoe +" },
{ "33", &plain, "<*@somedomain> = \"execall\\ -u\\ *\"@pipe", STRANGER,
    "joe@somedomain", "PIPE||execall -u joe +" },
{ "33", &plain, "<incoming> = \"queue[PROC1] procin -mark\"@pipe\n"
    "<control>  = \"queue[PROC1] procin1 -control\"@pipe\n"
    "<archiver> = \"queue[ARCH] appendfile /var/archive\"@pipe", STRANGER,
    "incoming@main.com", "PIPE|PROC1|procin -mark +" },
{ "33", &plain, NULL, STRANGER, "control@main.com",
    "PIPE|PROC1|procin1 -control +" },
{ "33", &plain, NULL, STRANGER, "archiver",
    "PIPE|ARCH|appendfile /var/archive +" },
{ "33", &plain, NULL, CLIENT, "\"[FILE] app x\"@pipe",
    "PIPE||[FILE] app x +" },
{ "33", &plain, NULL, CLIENT, "\"bin/sh\"@pipe", "550" },
{ "33", &plain, NULL, CLIENT, "\".hidden\"@pipe", "550" },

/* --- 34: access --- */
{ "34", &multihomed, "", LOGIN, "info", "LOCAL|info| +" },
{ "34", &multihomed, NULL, LOGIN2, "info", "LOCAL|info@client1.com| +" },
{ "34", &multihomed, NULL, LOGIN, "info%client2.com",
    "LOCAL|info@client2.com| +" },
{ "34", &multihomed, NULL, LOGIN2, "info@client2.com",
    "LOCAL|info@client2.com| +" },
{ "34", &moved, "", LOGIN, "John_Smith", "LOCAL|john| +" },
{ "34", &moved, NULL, STRANGER, "John_Smith@company.com", "LOCAL|john| +" },
{ "34", &moved, "<John> = j.smith@client1.com;", LOGIN, "John",
    "LOCAL|j.smith@client1.com| +" },
{ "34", &moved, NULL, STRANGER, "John@company.com",
    "LOCAL|j.smith@client1.com| +" },

/* --- 04, 05, 24, 36, 37, 38, 60: other access --- */
{ "04", &web, "", STRANGER, "x@mail.company.com", "LOCAL|x@company.com| +" },
{ "04", &web, NULL, STRANGER, "info@mail.client1.com",
    "LOCAL|info@client1.com| +" },
{ "05", &web, NULL, LOGIN, "LoginPage@sub.domain.com",
    "LOCAL|LoginPage@sub.domain.com| +" },
{ "05", &web, NULL, LOGIN, "LoginPage@provider.com", "LOCAL|LoginPage| +" },
{ "60", &web, NULL, LOGIN, "LoginPage@mail", "550" },
{ "24", &web, "<LoginPage@user.domain.com> = userA@domainB.com", LOGIN,
    "LoginPage@user.domain.com", "LOCAL|usera@domainb.com| +" },
{ "38", &web, "www.client.com = client.com", LOGIN,
    "LoginPage@www.client.com", "LOCAL|LoginPage@client.com| +" },
{ "37", &plain, "<j.smith> = John@othercompany.com", LOGIN, "j.smith",
    "SMTP|othercompany.com|John@othercompany.com +" },
{ "36", &plain, "client1.com = Cl1.local", LOGIN, "abcdef@client1.com",
    "LOCAL|cl1|abcdef +" },
{ "36", &plain, NULL, LOGIN, "Cl1", "LOCAL|cl1| +" },
{ "36", &plain, NULL, LOGIN, "blahblah@client1.com", "LOCAL|cl1|blahblah +" },
{ "38", &company, "shop.client.com = client.com", LOGIN,
    "LoginPage@shop.client.com", "LOCAL|LoginPage@client.com| +" },
{ "60", &plain, "<postmaster> = john", LOGIN, "postmaster", "LOCAL|john| +" },
{ "60", &plain, NULL, LOGIN, "abcd@postmaster.local",
    "LOCAL|postmaster|abcd +" },
{ "60", &plain, "client1.com = client1.com@mainhost.com.smtp\n"
    "client2.com = client1.com@mainhost.com.smtp", STRANGER, "a@client2.com",
    "SMTP|mainhost.com|a@client1.com +" },

/* --- 03, 28, 46, 62 --- */
{ "03", &smith, "<*.smith@domain.dom> = Smith@domain.dom", STRANGER,
    "john.smith@domain.dom", "LOCAL|smith@domain.dom| +" },
{ "03", &smith, NULL, STRANGER, "susan.smith@domain.dom",
    "LOCAL|smith@domain.dom| +" },
{ "03", &smith, NULL, STRANGER, "john.x@domain.dom",
    "LOCAL|john.x@domain.dom| +" },
{ "03", &sendmail, "", STRANGER, "j.smith@domain.dom",
    "LOCAL|john.smith@domain.dom| +" },
{ "03", &sendmail, NULL, STRANGER, "smith@domain.dom",
    "LOCAL|john.smith@domain.dom| +" },
{ "03", &sendmail, NULL, STRANGER, "susan.smith@domain.dom",
    "SMTP|otherisp.dom|susan@otherisp.dom +" },
{ "28", &plain, "client.com = relay.host.smtp", STRANGER, "user@client.com",
    "SMTP|relay.host|user@relay.host +" },
{ "46", &plain, "", CLIENT, "objectName%domainName@hostserver.smtp",
    "SMTP|hostserver|objectName@domainName +" },
{ "46", &corp, "<*-uk@corp.com> = *-uk%corp.com@sv2.corp.com.smtp", STRANGER,
    "dan-uk@corp.com", "SMTP|sv2.corp.com|dan-uk@corp.com +" },
{ "46", &corp, NULL, STRANGER, "ann@corp.com", "LOCAL|ann@corp.com| +" },
{ "46", &corp, "; SV2 accounts\n"
    "<dan@corp.com>  =  dan%corp.com@sv2.corp.com.smtp\n"
    "<ed@corp.com>   =   ed%corp.com@sv2.corp.com.smtp\n"
    "<fred@corp.com> = fred%corp.com@sv2.corp.com.smtp\n;\n"
    "; SV3 accounts\n"
    "<gil@corp.com>  =  gil%corp.com@sv3.corp.com.smtp\n"
    "<hugh@corp.com> = hugh%corp.com@sv3.corp.com.smtp\n"
    "<judy@corp.com> = judy%corp.com@sv3.corp.com.smtp", STRANGER,
    "ed@corp.com", "SMTP|sv2.corp.com|ed@corp.com +" },
{ "46", &corp, NULL, STRANGER, "judy@corp.com",
    "SMTP|sv3.corp.com|judy@corp.com +" },
{ "46", &corp, NULL, STRANGER, "far@domain.com",
    "SMTP|mainserver|far@domain.com +" },
{ "62", &plain, "<FAX=*> = *", STRANGER, "FAX=john@main.com",
    "LOCAL|john| +" },

/* --- 59, 59b, 59c: how to --- */
{ "59", &migrating, "", STRANGER, "aname@domain.dom",
    "SMTP|otherserver.dom|aname@domain.dom +" },
{ "59", &migrating, NULL, STRANGER, "here@domain.dom",
    "LOCAL|here@domain.dom| +" },
{ "59", &migrating, NULL, STRANGER, "aname@ip.dom",
    "SMTP|[11.22.33.44]|aname@ip.dom +" },
{ "59c", &migrating, NULL, STRANGER, "aname@via.dom",
    "SMTP|otherserver.dom|aname@via.dom +" },
/* Nobody relays through us and the old server to somebody else. */
{ "59", &migrating, NULL, STRANGER, "a%victim.org@domain.dom",
    "SMTP|otherserver.dom|a%victim.org@domain.dom" },
{ "59", &plain, "Relay: friend.com = friend.com@friend.com.smtp", STRANGER,
    "a@friend.com", "SMTP|friend.com|a@friend.com +" },
{ "59", &plain, "Relay: friend.com = friend.com@firewall.friend.com.smtp",
    STRANGER, "a@friend.com", "SMTP|firewall.friend.com|a@friend.com +" },
{ "59c", &plain, "Relay: friend.com = friend.com@friend.com.via", STRANGER,
    "a@friend.com", "SMTP|friend.com|a@friend.com +" },
{ "59c", &plain, "Relay: friend.com = friend.com@firewall.friend.com.via",
    STRANGER, "a@friend.com", "SMTP|firewall.friend.com|a@friend.com +" },
{ "59", &plain, "target.domain = target.domain@[11.22.33.44]", STRANGER,
    "a@target.domain", "SMTP|[11.22.33.44]|a@target.domain +" },
{ "59", &plain, "target.domain = target.domain@relay.domain.25.smtp",
    STRANGER, "a@target.domain", "SMTP|relay.domain:25|a@target.domain +" },
{ "59c", &plain, "Mail:target.domain = target.domain@relay.domain.25.via\n"
    "Signal:target.domain = target.domain@relay.domain.5060.via", STRANGER,
    "a@target.domain", "SMTP|relay.domain:25|a@target.domain +" },
{ "59c", &plain, NULL, SIGNAL, "a@target.domain",
    "SMTP|relay.domain:5060|a@target.domain +" },
{ "59c", &plain, NULL, LOGIN, "a@target.domain", "550" },
{ "59", &plain, "client.com = mail.client.com.smtp", STRANGER, "a@client.com",
    "SMTP|mail.client.com|a@mail.client.com +" },
{ "59", &plain, "other-port = 127.0.0.1.26.smtp\n"
    "other-ip = 11.22.33.44.25.smtp\n"
    "Relay: client57.com = client57.com@other-port", STRANGER,
    "a@client57.com", "SMTP|127.0.0.1:26|a@client57.com +" },
{ "59", &plain, NULL, STRANGER, "a%x.org@other-ip",
    "SMTP|11.22.33.44:25|a@x.org" },
{ "59", &plain, "Relay: client57.com = client57.com@127.0.0.1.26.smtp",
    STRANGER, "a@client57.com", "SMTP|127.0.0.1:26|a@client57.com +" },
{ "59c", &plain, "other-port = 127.0.0.1.26.via\n"
    "other-ip = 11.22.33.44.25.via\n"
    "Relay: client57.com = client57.com@other-port", STRANGER,
    "a@client57.com", "SMTP|127.0.0.1:26|a@client57.com +" },
{ "59c", &plain, NULL, STRANGER, "a@other-ip",
    "SMTP|11.22.33.44:25|a@11.22.33.44 +" },
{ "59c", &plain, "Relay: client57.com = client57.com@127.0.0.1.26.via",
    STRANGER, "a@client57.com", "SMTP|127.0.0.1:26|a@client57.com +" },
{ "59", &unified, "", LOGIN, "domain.dom", "LOCAL|domain.dom| +" },
{ "59", &unified, NULL, STRANGER, "a@domain.dom",
    "SMTP|domain.dom|a@domain.dom" },
{ "59", &unified, "domain.dom = dd-customer.local", STRANGER,
    "Any@domain.dom", "LOCAL|dd-customer|Any +" },
{ "59", &plain, "domain2.dom = domain2.dom@domain1.dom.smtp\n"
    "domain3.dom = domain3.dom@domain1.dom.smtp", STRANGER, "a@domain2.dom",
    "SMTP|domain1.dom|a@domain2.dom +" },
{ "59b", &plain, NULL, STRANGER, "a@domain3.dom",
    "SMTP|domain1.dom|a@domain3.dom +" },
{ "59c", &plain, "domain2.dom = domain2.dom@domain1.dom.via\n"
    "domain3.dom = domain3.dom@domain1.dom.via", STRANGER, "a@domain3.dom",
    "SMTP|domain1.dom|a@domain3.dom +" },
{ "59", &provider, "*.domain.dom = *@domain.dom\n"
    "<LoginPage%*@domain.dom> = *@domain.dom", LOGIN,
    "LoginPage@username.domain.dom", "LOCAL|username@domain.dom| +" },
{ "59", &provider, NULL, LOGIN, "LoginPage@domain.dom",
    "LOCAL|LoginPage@domain.dom| +" },
{ "59", &main_is_domain, "*.domain.dom = *@fict\n<LoginPage%*@fict> = *",
    LOGIN, "LoginPage@username.domain.dom", "LOCAL|username| +" },

/* --- not examples: modes, order, asterisks --- */
{ "-", &plain, "Access:NoRelay:<x> = john\nMail:<x> = postmaster",
    STRANGER, "x", "LOCAL|postmaster| +" },
{ "-", &plain, NULL, LOGIN, "x", "LOCAL|john| +" },
{ "-", &plain, NULL, SIGNAL, "x", "550" },
{ "-", &plain, "mail: signal: n: x.org = y.org", SIGNAL, "a@x.org",
    "SMTP|y.org|a@y.org" },
{ "-", &plain, NULL, LOGIN, "a@x.org", "SMTP|x.org|a@x.org" },
{ "-", &plain, "<*@x.org> = john\n<info@x.org> = postmaster", STRANGER,
    "info@x.org", "LOCAL|john| +" },
{ "-", &plain, "Access:<*@x.org> = john\n<info@x.org> = postmaster",
    STRANGER, "info@x.org", "LOCAL|postmaster| +" },
{ "-", &plain, "<a*c@x.org> = *@*.org\n<a*@x.org> = *@2.org\n"
    "<*c@x.org> = *@3.org\n<*@x.org> = *@4.org", STRANGER, "abc@x.org",
    "SMTP|b.org|b@b.org +" },
{ "-", &plain, NULL, STRANGER, "ac@x.org", "501" },
{ "-", &plain, NULL, STRANGER, "a@x.org", "501" },
{ "-", &plain, NULL, STRANGER, "aB@x.org", "SMTP|2.org|B@2.org +" },
{ "-", &plain, NULL, STRANGER, "bc@x.org", "SMTP|3.org|b@3.org +" },
{ "-", &plain, NULL, STRANGER, "b@x.org", "SMTP|4.org|b@4.org +" },
{ "-", &plain, NULL, STRANGER, "\"b b\"@x.org",
    "SMTP|4.org|\"b b\"@4.org" },
{ "-", &plain, "", CLIENT, "\"a b\"@far.org",
    "SMTP|far.org|\"a b\"@far.org +" },
{ "-", &plain, "x.org = x.org@far.org.smtp", CLIENT, "\"a%b\"@x.org",
    "SMTP|far.org|\"a%b\"@x.org +" },
{ "-", &plain, "<*@x.org> = \"app -u *\"@pipe", CLIENT, "\"a -x\"@x.org",
    "501" },
{ "-", &plain, "<p-*@x.org> = \"app -u *\"@pipe", CLIENT,
    "\"p-a -x\"@x.org", "501" },
{ "-", &plain, "* = *@relay.org.smtp\n", STRANGER, "a@x.org", "554" },
{ "-", &plain, NULL, STRANGER, "john@main.com", "LOCAL|john| +" },
{ "-", &forwarders, "", STRANGER, "any@staff.list", "550" },
};

static struct route_env	env;

static void
add_word(struct place *p, struct domain *d, const char *word)
{
	char name[256], *sep;

	assert_true(str_copy(str_make(word), name, sizeof(name)));
	if (*word == '@')
		assert_int_equal(names_add_alias(&p->names, word + 1, d), 0);
	else if (*word == '#')
		map_put(p->addresses, word + 1, strlen(word + 1), d);
	else if (*word == '?') {
		d->unknown[0] = word[1] != '\0' ? UNKNOWN_REROUTE :
						  UNKNOWN_DISCARD;
		free(d->reroute[0]);
		d->reroute[0] = xstrdup(word + 1);
	} else if (*word == '!')
		d->unknown[0] = UNKNOWN_ACCEPT;
	else if ((sep = strpbrk(name, ">=%")) == NULL) {
		name_lower(str_make(word), name, sizeof(name));
		names_add(&p->names, d, name, "", name, ACCOUNT_MULTI);
	} else {
		*sep = '\0';
		names_add(&p->names, d, name, "", word + (sep + 1 - name),
		    word[sep - name] == '>' ? NAME_ALIAS :
		    word[sep - name] == '=' ? NAME_FORWARDER : NAME_GROUP);
	}
}

static void
build(struct place *p)
{
	struct cur c = cur_str(p->what);
	struct domain *d = NULL;
	char word[256];
	size_t len;

	p->addresses = map_new();
	while (cur_left(&c) > 0) {
		assert_true(str_copy(cur_until(&c, " "), word, sizeof(word)));
		cur_ws(&c);
		len = strlen(word);
		if (word[len - 1] != ':') {
			add_word(p, d, word);
			continue;
		}
		word[len - 1] = '\0';
		if (d == NULL)
			names_init(&p->names, word);
		d = d == NULL ? p->names.main :
				names_add_domain(&p->names, word);
		d->toall = TOALL_NOBODY;
		d->reroute[0] = xstrdup("error");
		d->reroute[1] = xstrdup("error");
	}
}

static void
set_place(struct place *p)
{
	if (p->names.main == NULL)
		build(p);
	env.names = &p->names;
	env.addresses = p->addresses;
	table_free(env.all_aliases);
	env.all_aliases = table_parse_lax(p->all_aliases != NULL ?
	    p->all_aliases : "", "aliases");
	free(env.add_domain);
	env.add_domain = xstrdup(p->add_domain != NULL ? p->add_domain : "");
	free(env.forward);
	env.forward = p->forward != NULL ? xstrdup(p->forward) : NULL;
}

static void
set_table(const char *text)
{
	struct table_bad bad;

	table_free(env.table);
	env.table = table_parse(text, &bad);
	if (env.table == NULL)
		fail_msg("%s\nline %u: %s", text, bad.line, bad.why);
}

static int
run(const struct example *e)
{
	struct route_query q = { .address = e->address,
		.peer = e->mode == CLIENT ? "10.1.2.3" : "198.51.100.1",
		.local = e->mode == LOGIN2 ? ADDRESS2 : ADDRESS1,
		.account = "",
		.access = e->mode == LOGIN || e->mode == LOGIN2,
		.signal = e->mode == SIGNAL };
	struct route_answer a;
	char got[2048];

	route_address(&env, &q, &a);
	if (a.code != 0)
		snprintf(got, sizeof(got), "%d", a.smtp);
	else
		snprintf(got, sizeof(got), "%s|%s|%s%s", a.module, a.host,
		    a.address, a.relay ? " +" : "");
	if (strcmp(got, e->expect) == 0)
		return 0;
	print_error("chapter %s, %s: \"%s\" (%s), not \"%s\"\n", e->chapter,
	    e->address, got, a.text, e->expect);
	return 1;
}

static void
test_examples(void **state)
{
	const size_t n = sizeof(examples) / sizeof(examples[0]);
	int bad = 0;
	size_t i;

	env.clients = iplist_parse("10.0.0.0/8\n", &(int){ 0 });
	env.direct_mailbox = true;
	env.detail = DETAIL_ON;
	env.relay_from = RELAY_CLIENTS;
	env.relay_to = RELAY_TO_SIMPLE;
	for (i = 0; i < n; i++) {
		set_place(examples[i].place);
		if (examples[i].table != NULL)
			set_table(examples[i].table);
		bad += run(&examples[i]);
	}
	assert_int_equal(bad, 0);
	print_message("%zu examples\n", n);
}

/* What is wrong with a record is told by its line. */
static void
test_bad_lines(void **state)
{
	static const struct {
		const char	*line;
		const char	*why;
	} bad[] = {
		{ "nonsense", "no =" },
		{ "= x.com", "nothing left of the =" },
		{ "a@b.com = c.com",
		    "an address on the left must stand in < and >" },
		{ "<a@b.com = c", "no > behind the <" },
		{ "<a> b = c", "something between the > and the =" },
		{ "<a> = ", "nothing right of the =" },
		{ "<a> = b@", "not an address on the right" },
		{ "<a> = two words", "not an address on the right" },
		{ "<@x.com> = b", "no name left of the @" },
		{ "<a@*.com> = c", "an asterisk in the domain of an alias" },
		{ "<a*b*> = c", "more than one asterisk on the left" },
		{ "*.a.* = c", "more than one asterisk on the left" },
		{ "Rely:x.com = c", "an unknown prefix" },
		{ "x y = c", "a bad character in the domain" },
		{ "x = \"c\"", "a bad character on the right" },
		{ "x = a@b@c",
		    "not a domain, nor domain@relay, on the right" }
	};
	struct table_bad told;
	struct table *t;
	char text[256];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "; first\r\n\r\n%s\r\nx = y\r\n",
		    bad[i].line);
		assert_null(table_parse(text, &told));
		assert_int_equal(told.line, 3);
		assert_string_equal(told.why, bad[i].why);
		t = table_parse_lax(text, "table");
		assert_int_equal(table_bad(t)->line, 3);
		table_free(t);
	}
}

static int
setup(void **state)
{
	log_init("TEST", -1, 0);
	log_set_level(1);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_bad_lines),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
