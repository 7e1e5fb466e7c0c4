/* Parts of messages: where they are, and how they are told. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mime.h"

struct source {
	struct str	 s;
	size_t		 most;		/* bytes at a time */
	bool		 fails;
};

static ssize_t
source(void *arg, uint64_t off, void *p, size_t n)
{
	struct source *s = arg;

	if (s->fails) {
		errno = EIO;
		return -1;
	}
	if (off >= s->s.len)
		return 0;
	if (n > s->s.len - off)
		n = s->s.len - off;
	if (n > s->most)
		n = s->most;
	memcpy(p, s->s.p + off, n);
	return (ssize_t)n;
}

/* The text with CRLF for its LFs. */
static void
crlf(struct buf *b, struct str s)
{
	size_t i;

	buf_init(b, 0);
	buf_reserve(b, 0);
	for (i = 0; i < s.len; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			buf_putc(b, '\r');
		buf_putc(b, s.p[i]);
	}
}

static void
told(struct str text, struct buf *b, size_t most)
{
	struct source src = { text, most, false };
	struct mime m;

	mime_init(&m);
	buf_init(b, 0);
	if (most == 0)
		assert_int_equal(mime_scan_mem(&m, text.p, text.len), 0);
	else
		assert_int_equal(mime_scan(&m, source, &src, text.len), 0);
	assert_int_equal(m.size, text.len);
	assert_true(mime_envelope(&m, b));
	buf_putc(b, '\n');
	assert_true(mime_bodystructure(&m, b, false));
	buf_putc(b, '\n');
	assert_true(mime_bodystructure(&m, b, true));
	mime_free(&m);
}

/* The same is told however the bytes come, and with both ends of lines. */
static void
same_always(struct str text)
{
	static const size_t most[] = { 1, 7, 1000 };
	struct buf a, b, wire;
	size_t i;

	told(text, &a, 0);
	for (i = 0; i < 3; i++) {
		told(text, &b, most[i]);
		assert_string_equal(a.p, b.p);
		buf_free(&b);
	}
	crlf(&wire, text);
	told((struct str){ wire.p, wire.len }, &b, 0);
	assert_string_equal(a.p, b.p);
	buf_free(&b);
	told((struct str){ wire.p, wire.len }, &b, 1);
	assert_string_equal(a.p, b.p);
	buf_free(&a);
	buf_free(&b);
	buf_free(&wire);
}

#define H	 "From: a@b\nSubject: s\n"
#define A	 "((NIL NIL \"a\" \"b\"))"
#define ENV	 "(NIL \"s\" " A " " A " " A " NIL NIL NIL NIL NIL)"
#define TEXT(n, l) "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL " \
		 "\"7bit\" " n " " l ")"
#define MIXED	 "Content-Type: multipart/mixed; boundary=b\n"
#define TYPE(s)	 H "Content-Type: " s "\n\n"

/* The oddities of real mail, each with its body structure. */
static const struct {
	const char	*name, *message, *body;
} structures[] = {
	{ "nothing at all", "", TEXT("0", "0") },
	{ "an empty line alone", "\n", TEXT("0", "0") },
	{ "no body", H "\n", TEXT("0", "0") },
	{ "no empty line", H, TEXT("0", "0") },
	{ "header cut in a line", "From: a@b\nSubj", TEXT("0", "0") },
	{ "an empty line first", "\n" H "\nx\n", TEXT("28", "4") },
	{ "no line end at the end", H "\nhello", TEXT("5", "0") },
	{ "a From_ line inside", "From a@b Mon\n" H "\nx\n",
	    TEXT("3", "1") },
	{ "a line that is no field", "From: a@b\nno field\n\nx\n",
	    TEXT("3", "1") },
	{ "a header line of blanks", "From: a@b\n \nX: y\n\nx\n",
	    TEXT("3", "1") },
	{ "type in capitals", TYPE("TEXT/HTML; CHARSET=UTF-8"),
	    "(\"TEXT\" \"HTML\" (\"CHARSET\" \"UTF-8\") NIL NIL \"7bit\" 0 "
	    "0)" },
	{ "text without a charset", TYPE("text/plain; format=flowed"),
	    "(\"text\" \"plain\" (\"format\" \"flowed\" \"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 0 0)" },
	{ "a type alone", TYPE("text"), TEXT("0", "0") },
	{ "an empty type", TYPE(""), TEXT("0", "0") },
	{ "a type without a subtype", TYPE("text/"), TEXT("0", "0") },
	{ "comments everywhere",
	    TYPE("text (a) / (b) x (c); (d) y (e) = (f) z (g)"),
	    "(\"text\" \"x\" (\"y\" \"z\" \"charset\" \"us-ascii\") NIL NIL "
	    "\"7bit\" 0 0)" },
	{ "a comment without its end", TYPE("text/plain; (x y=z"),
	    TEXT("0", "0") },
	{ "no semicolon", TYPE("text/x charset=utf-8"),
	    "(\"text\" \"x\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 0 0)" },
	{ "a comma for a semicolon", TYPE("text/x, charset=utf-8"),
	    "(\"text\" \"x\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 0 0)" },
	{ "semicolons too many", TYPE("text/x;; charset=utf-8;"),
	    "(\"text\" \"x\" (\"charset\" \"utf-8\") NIL NIL \"7bit\" 0 0)" },
	{ "a parameter without a value", TYPE("a/b; c; d=e"),
	    "(\"a\" \"b\" (\"d\" \"e\") NIL NIL \"7bit\" 0)" },
	{ "an empty value", TYPE("a/b; c=; d=\"\""),
	    "(\"a\" \"b\" (\"c\" \"\" \"d\" \"\") NIL NIL \"7bit\" 0)" },
	{ "a value with blanks, not quoted", TYPE("a/b; name=my file.txt; d=e"),
	    "(\"a\" \"b\" (\"name\" \"my file.txt\" \"d\" \"e\") NIL NIL "
	    "\"7bit\" 0)" },
	{ "a value with specials, not quoted", TYPE("a/b; c=x/y@z=?; d=e"),
	    "(\"a\" \"b\" (\"c\" \"x/y@z=?\" \"d\" \"e\") NIL NIL \"7bit\" "
	    "0)" },
	{ "a quote that nobody closes", TYPE("a/b; c=\"d e"),
	    "(\"a\" \"b\" (\"c\" \"d e\") NIL NIL \"7bit\" 0)" },
	{ "quoted pairs", TYPE("a/b; c=\"d\\\"e\\\\f\""),
	    "(\"a\" \"b\" (\"c\" \"d\\\"e\\\\f\") NIL NIL \"7bit\" 0)" },
	{ "a fold in a quoted value", TYPE("a/b;\n\tc=\"d\n e\""),
	    "(\"a\" \"b\" (\"c\" \"d e\") NIL NIL \"7bit\" 0)" },
	{ "8 bits in a value", TYPE("a/b; c=\"\303\274\""),
	    "(\"a\" \"b\" (\"c\" {2}\r\n\303\274) NIL NIL \"7bit\" 0)" },
	{ "an encoded word as a value", TYPE("a/b; c==?utf-8?q?d?="),
	    "(\"a\" \"b\" (\"c\" \"=?utf-8?q?d?=\") NIL NIL \"7bit\" 0)" },
	{ "a parameter twice", TYPE("text/x; charset=a; charset=b"),
	    "(\"text\" \"x\" (\"charset\" \"a\" \"charset\" \"b\") NIL NIL "
	    "\"7bit\" 0 0)" },
	{ "continuations", TYPE("a/b; c*0=\"d\"; c*1=e; f=g"),
	    "(\"a\" \"b\" (\"c\" \"de\" \"f\" \"g\") NIL NIL \"7bit\" 0)" },
	{ "continuations out of order", TYPE("a/b; c*1=e; c*0=d"),
	    "(\"a\" \"b\" (\"c\" \"de\") NIL NIL \"7bit\" 0)" },
	{ "a continuation with a gap", TYPE("a/b; c*0=d; c*2=e"),
	    "(\"a\" \"b\" (\"c\" \"d\" \"c*2\" \"e\") NIL NIL \"7bit\" 0)" },
	{ "a continuation without its beginning", TYPE("a/b; c*1=d"),
	    "(\"a\" \"b\" (\"c*1\" \"d\") NIL NIL \"7bit\" 0)" },
	{ "an extended value", TYPE("a/b; c*=utf-8'en'%C3%BC"),
	    "(\"a\" \"b\" (\"c*\" \"utf-8'en'%C3%BC\") NIL NIL \"7bit\" 0)" },
	{ "extended and plain sections", TYPE("a/b; c*0*=utf-8''%20; "
	    "c*1=\"d e\"; c*2*=%20"),
	    "(\"a\" \"b\" (\"c*\" \"utf-8''%20d%20e%20\") NIL NIL \"7bit\" "
	    "0)" },
	{ "a star alone", TYPE("a/b; *=d; c**=e"),
	    "(\"a\" \"b\" (\"*\" \"d\" \"c**\" \"e\") NIL NIL \"7bit\" 0)" },
	{ "two types", H "Content-Type: a/b\nContent-Type: c/d\n\n",
	    "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0)" },
	{ "blanks before the colon", H "Content-Type : a/b\n\n",
	    "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0)" },
	{ "an encoding with junk", H "Content-Transfer-Encoding: BASE64; x\n\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL "
	    "\"BASE64\" 0 0)" },
	{ "an encoding that is none", H "Content-Transfer-Encoding: ()\n\n",
	    TEXT("0", "0") },
	{ "preamble and epilogue", H MIXED "\npre\n--b\n\none\n--b\n\ntwo\n\n"
	    "--b--\nepi\n", "(" TEXT("3", "0") TEXT("5", "1") " \"mixed\")" },
	{ "no end", H MIXED "\n--b\n\none\n--b\n\ntwo\n",
	    "(" TEXT("3", "0") TEXT("5", "1") " \"mixed\")" },
	{ "no parts", H MIXED "\nx\n", "(" TEXT("0", "0") " \"mixed\")" },
	{ "an end only", H MIXED "\n--b--\n",
	    "(" TEXT("0", "0") " \"mixed\")" },
	{ "no boundary", TYPE("multipart/mixed") "--\n--b\n\nx\n--b--\n",
	    "(" TEXT("0", "0") " \"mixed\")" },
	{ "an empty boundary", TYPE("multipart/mixed; boundary=\"\"")
	    "--\n\nx\n----\n", "(" TEXT("0", "0") " \"mixed\")" },
	{ "a boundary with a blank at its end",
	    TYPE("multipart/mixed; boundary=\"b \"") "--b\n\nx\n--b--\n",
	    "(" TEXT("1", "0") " \"mixed\")" },
	{ "a boundary that should be quoted",
	    TYPE("multipart/mixed; boundary=-=_/1:(2)") "---=_/1:(2)\n\nx\n"
	    "---=_/1:(2)--\n", "(" TEXT("1", "0") " \"mixed\")" },
	{ "a boundary in pieces",
	    TYPE("multipart/mixed; boundary*0=b; boundary*1=c")
	    "--bc\n\nx\n--bc--\n", "(" TEXT("1", "0") " \"mixed\")" },
	{ "parts without anything", H MIXED "\n--b\n--b\n\n--b\n\n\n--b--\n",
	    "(" TEXT("0", "0") TEXT("0", "0") TEXT("0", "0") " \"mixed\")" },
	{ "a header cut by a boundary", H MIXED "\n--b\nContent-Type: a/b\n"
	    "--b\n\nx\n--b--\n",
	    "((\"a\" \"b\" NIL NIL NIL \"7bit\" 0)" TEXT("1", "0")
	    " \"mixed\")" },
	{ "blanks behind boundaries", H MIXED "\n--b \n\nx\n--b\t\n\ny\n"
	    "--b-- \n", "(" TEXT("1", "0") TEXT("1", "0") " \"mixed\")" },
	{ "text behind boundaries", H MIXED "\n--bxy\n\nx\n--b--z\ny\n",
	    "(" TEXT("1", "0") " \"mixed\")" },
	{ "boundaries after the end", H MIXED "\n--b\n\nx\n--b--\n--b\n\ny\n",
	    "(" TEXT("1", "0") " \"mixed\")" },
	{ "the boundary of a multipart in one that is longer", H MIXED
	    "\n--b\nContent-Type: multipart/alternative; boundary=bb\n\n--bb\n"
	    "\n1\n--bb--\n--b\n\n2\n--b--\n",
	    "((" TEXT("1", "0") " \"alternative\")" TEXT("1", "0")
	    " \"mixed\")" },
	{ "the same boundary inside", H MIXED
	    "\n--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n"
	    "\n1\n--b--\n--b\n\n2\n--b--\n",
	    "((" TEXT("1", "0") " \"alternative\")" TEXT("1", "0")
	    " \"mixed\")" },
	{ "a multipart inside without its end", H MIXED
	    "\n--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n"
	    "\n1\n--b\n\n2\n--b--\n",
	    "((" TEXT("1", "0") " \"alternative\")" TEXT("1", "0")
	    " \"mixed\")" },
	{ "a digest", TYPE("multipart/digest; boundary=b")
	    "--b\n\nSubject: s\n\nx\n--b\nContent-Type: a/b\n\ny\n--b--\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) " TEXT("1", "0") " 2)(\"a\" \"b\" "
	    "NIL NIL NIL \"7bit\" 1) \"digest\")" },
	{ "a message inside", H MIXED "\n--b\nContent-Type: message/rfc822\n\n"
	    H "\nx\n\n--b--\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 28 " ENV " "
	    TEXT("3", "1") " 4) \"mixed\")" },
	{ "a message inside without a body", H MIXED
	    "\n--b\nContent-Type: message/rfc822\n\nFrom: a@b\n--b--\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 11 (NIL NIL " A " "
	    A " " A " NIL NIL NIL NIL NIL) " TEXT("0", "0") " 1) \"mixed\")" },
	{ "an empty message inside", TYPE("message/rfc822"),
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 (NIL NIL NIL NIL "
	    "NIL NIL NIL NIL NIL NIL) " TEXT("0", "0") " 0)" },
	{ "a message in base64, which cannot be", H
	    "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64"
	    "\n\nRnJvbQ==\n",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 10 (NIL NIL NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) " TEXT("0", "0") " 1)" },
	{ "a delivery report", TYPE("message/delivery-status") "X: y\n",
	    "(\"message\" \"delivery-status\" NIL NIL NIL \"7bit\" 6)" },
	{ "two dashes in text", H "\n--\nme\n", TEXT("8", "2") },
	{ "a part of text like a boundary", H MIXED "\n--b\n\n-b\n--\n--c\n"
	    "--b--\n", "(" TEXT("11", "2") " \"mixed\")" }
};

static void
oddities(void **state)
{
	struct str s, told_body;
	struct buf b;
	struct cur c;
	size_t i;

	for (i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
		s = str_make(structures[i].message);
		told(s, &b, 0);
		c = cur_make(b.p, b.len);
		/* Literals hold line ends: the body is what is left. */
		told_body = (struct str){ b.p, b.len };
		if (memmem(b.p, b.len, structures[i].body,
		    strlen(structures[i].body)) == NULL)
			print_error("%s: %.*s\n  not %s\n", structures[i].name,
			    (int)told_body.len, told_body.p,
			    structures[i].body);
		assert_non_null(memmem(c.p, cur_left(&c), structures[i].body,
		    strlen(structures[i].body)));
		buf_free(&b);
		same_always(s);
	}
}

/* A field's body, and its member of the envelope. */
static const struct {
	const char	*name, *header, *want;
} envelopes[] = {
	{ "plain", "To: a@b", A },
	{ "a name", "To: J D <a@b>", "((\"J D\" NIL \"a\" \"b\"))" },
	{ "dots in a name", "To: J. D. <a@b>", "((\"J. D.\" NIL \"a\" \"b\"))" },
	{ "a quoted name", "To: \"D, J\" <a@b>",
	    "((\"D, J\" NIL \"a\" \"b\"))" },
	{ "quotes in a name", "To: \"a\\\"b\\\\c\" <a@b>",
	    "((\"a\\\"b\\\\c\" NIL \"a\" \"b\"))" },
	{ "an empty name", "To: \"\" <a@b>", A },
	{ "no blank before the bracket", "To: A<a@b>",
	    "((\"A\" NIL \"a\" \"b\"))" },
	{ "a comment as a name", "To: a@b (J D)",
	    "((\"J D\" NIL \"a\" \"b\"))" },
	{ "comments in comments", "To: a@b (x (y) z)",
	    "((\"x (y) z\" NIL \"a\" \"b\"))" },
	{ "comments elsewhere", "To: J (c) D <a(d)@b> (e)",
	    "((\"J D\" NIL \"a\" \"b\"))" },
	{ "a comment alone", "To: (nobody)", "NIL" },
	{ "an encoded word", "To: =?utf-8?q?J=C3=B6?= <a@b>",
	    "((\"=?utf-8?q?J=C3=B6?=\" NIL \"a\" \"b\"))" },
	{ "8 bits", "To: J\303\266 <a@b>",
	    "(({3}\r\nJ\303\266 NIL \"a\" \"b\"))" },
	{ "a group", "To: G: a@b, C <c@d>; , e@f",
	    "((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(\"C\" NIL \"c\" \"d\")"
	    "(NIL NIL NIL NIL)(NIL NIL \"e\" \"f\"))" },
	{ "an empty group", "To: undisclosed-recipients:;",
	    "((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL))" },
	{ "a group without its end", "To: G: a@b",
	    "((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ "a group in a group", "To: G: H: a@b;;",
	    "((NIL NIL \"G\" NIL)(\"H:\" NIL \"a\" \"b\")(NIL NIL NIL NIL))" },
	{ "a source route", "To: <@x,@y:a@b>",
	    "((NIL \"@x,@y\" \"a\" \"b\"))" },
	{ "blanks around dots", "To: a . b @ c . d",
	    "((NIL NIL \"a.b\" \"c.d\"))" },
	{ "a quoted local part", "To: \"a b\"@c", "((NIL NIL \"a b\" \"c\"))" },
	{ "an address literal", "To: a@[1.2.3.4]",
	    "((NIL NIL \"a\" \"[1.2.3.4]\"))" },
	{ "no domain", "To: root",
	    "((NIL NIL \"root\" \"MISSING_DOMAIN\"))" },
	{ "no domain, a comment", "To: root (Cron Daemon)",
	    "((\"Cron Daemon\" NIL \"root\" \"MISSING_DOMAIN\"))" },
	{ "no address, one word, quoted", "To: \"root\"",
	    "((\"root\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "no address, two words", "To: undisclosed recipients",
	    "((\"undisclosed recipients\" NIL \"MISSING_MAILBOX\" "
	    "\"MISSING_DOMAIN\"))" },
	{ "empty brackets", "To: <>",
	    "((NIL NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\"))" },
	{ "no local part", "To: <@b>",
	    "((NIL NIL \"MISSING_MAILBOX\" \"b\"))" },
	{ "no brackets", "To: J D a@b", "((\"J D\" NIL \"a\" \"b\"))" },
	{ "one bracket", "To: J <a@b", "((\"J\" NIL \"a\" \"b\"))" },
	{ "the other bracket", "To: a@b>", A },
	{ "brackets twice", "To: <<a@b>>", A },
	{ "a name that is an address", "To: a@b <c@d>",
	    "((\"a@b\" NIL \"c\" \"d\"))" },
	{ "square brackets in a name", "To: J [x] <a@b>",
	    "((\"J [x]\" NIL \"a\" \"b\"))" },
	{ "a quote that nobody closes", "To: \"J <a@b>",
	    "((\"J\" NIL \"a\" \"b\"))" },
	{ "commas too many", "To: ,a@b,, c@d,",
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "semicolons for commas", "To: a@b; c@d",
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "words behind the bracket", "To: J <a@b> x, c@d",
	    "((\"J\" NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "a dot behind the domain", "To: a@b.", A },
	{ "folds", "To: a@b,\n\tJ\n D <c@d>",
	    "((NIL NIL \"a\" \"b\")(\"J D\" NIL \"c\" \"d\"))" },
	{ "a field twice", "To: a@b\nTo: c@d",
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\"))" },
	{ "an empty field", "To:", "NIL" },
	{ "commas only", "To: ,;,", "NIL" },
	{ "a subject with a fold", "Subject: a\n\t b", "\"a b\"" },
	{ "a subject of blanks", "Subject:  \n \n", "\"\"" },
	{ "a subject with quotes", "Subject: a \"b\" \\c",
	    "\"a \\\"b\\\" \\\\c\"" },
	{ "a subject with 8 bits", "Subject: \374", "{1}\r\n\374" },
	{ "a subject with a CR", "Subject: a\rb", "\"a b\"" },
	{ "two subjects", "Subject: a\nSubject: b", "\"b\"" },
	{ "no subject", "X: y", "(NIL NIL NIL NIL" },
	{ "an empty date", "Date:", "(\"\" NIL" },
	{ "message-ids", "In-Reply-To: <a>\n <b>\nMessage-ID: <c> (d)",
	    "\"<a> <b>\" \"<c> (d)\"" },
	{ "no sender", "From: a@b\nSender:\nReply-To: ,", A " " A " " A },
	{ "sender and reply-to", "From: a@b\nSender: c@d\nReply-To: e@f",
	    A " ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\"))" }
};

static void
envelope(void **state)
{
	struct buf b, m;
	size_t i;

	for (i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		buf_init(&m, 0);
		buf_printf(&m, "%s\n\nx\n", envelopes[i].header);
		told((struct str){ m.p, m.len }, &b, 0);
		if (strstr(b.p, envelopes[i].want) == NULL)
			print_error("%s: %s\n", envelopes[i].name, b.p);
		assert_non_null(strstr(b.p, envelopes[i].want));
		buf_free(&b);
		same_always((struct str){ m.p, m.len });
		buf_free(&m);
	}
}

static const char tree[] = H MIXED "\npre\n"
    "--b\n\none\n"
    "--b\nContent-Type: message/rfc822\n\nSubject: i\n"
    "Content-Type: multipart/mixed; boundary=c\n\n"
    "--c\nContent-Type: text/html; charset=\"x\"\n\ntwo\n"
    "--c\nContent-Type: message/rfc822\n\nSubject: j\n\nthree\n"
    "--c--\n"
    "--b--\n";

/* Numbers (each a digit), what, and the text; NULL: there is none. */
static const struct {
	const char	*num;
	enum mime_what	 what;
	const char	*text;
} sections[] = {
	{ "", MIME_BODY, tree },
	{ "", MIME_HEADER, H MIXED "\n" },
	{ "", MIME_BODYTEXT, tree + sizeof(H MIXED "\n") - 1 },
	{ "", MIME_MIMEHEADER, NULL },
	{ "1", MIME_BODY, "one" },
	{ "1", MIME_MIMEHEADER, "\n" },
	{ "1", MIME_HEADER, NULL },
	{ "1", MIME_BODYTEXT, NULL },
	{ "11", MIME_BODY, NULL },
	{ "2", MIME_MIMEHEADER, "Content-Type: message/rfc822\n\n" },
	{ "2", MIME_HEADER,
	    "Subject: i\nContent-Type: multipart/mixed; boundary=c\n\n" },
	{ "21", MIME_BODY, "two" },
	{ "21", MIME_MIMEHEADER, "Content-Type: text/html; charset=\"x\"\n\n" },
	{ "22", MIME_BODY, "Subject: j\n\nthree" },
	{ "22", MIME_HEADER, "Subject: j\n\n" },
	{ "22", MIME_BODYTEXT, "three" },
	{ "221", MIME_BODY, "three" },
	{ "221", MIME_MIMEHEADER, "Subject: j\n\n" },
	{ "222", MIME_BODY, NULL },
	{ "2211", MIME_BODY, NULL },
	{ "23", MIME_BODY, NULL },
	{ "3", MIME_BODY, NULL },
	{ "0", MIME_BODY, NULL },
	{ "20", MIME_BODY, NULL }
};

static void
finds(const struct mime *m, const char *text)
{
	struct mime_range r;
	uint32_t num[8];
	size_t i, n;
	bool ok;

	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		for (n = 0; sections[i].num[n] != '\0'; n++)
			num[n] = (uint32_t)(sections[i].num[n] - '0');
		ok = mime_section(m, num, n, sections[i].what, &r);
		assert_int_equal(ok, sections[i].text != NULL);
		if (!ok)
			continue;
		assert_int_equal(r.len, strlen(sections[i].text));
		assert_memory_equal(text + r.off, sections[i].text, r.len);
		for (n = 0; *sections[i].text != '\0' &&
		    n < strlen(sections[i].text); n++)
			r.wire -= sections[i].text[n] == '\n';
		assert_int_equal(r.wire, r.len);
	}
}

static void
numbers(void **state)
{
	struct mime m, again;
	struct buf b, bad;
	size_t i;

	mime_init(&m);
	mime_init(&again);
	assert_int_equal(mime_scan_mem(&m, tree, sizeof(tree) - 1), 0);
	assert_int_equal(m.nparts, 7);
	finds(&m, tree);
	buf_init(&b, 0);
	assert_true(mime_pack(&m, &b));
	assert_true(mime_unpack(&again, (struct str){ b.p, b.len }));
	finds(&again, tree);
	assert_int_equal(again.wire, m.wire);
	assert_true(str_eq(mime_charset(&again, &again.part[4]), "x"));
	/* Every cut is noticed, and no byte changed leads out. */
	for (i = 0; i < b.len; i++)
		assert_false(mime_unpack(&again, (struct str){ b.p, i }));
	buf_init(&bad, 0);
	for (i = 0; i < b.len * 256; i++) {
		buf_reset(&bad);
		buf_add(&bad, b.p, b.len);
		bad.p[i / 256] = (char)i;
		if (!mime_unpack(&again, (struct str){ bad.p, bad.len }))
			continue;
		assert_true(again.part[again.nparts - 1].body +
		    again.part[again.nparts - 1].bodylen <= again.size);
	}
	buf_free(&b);
	buf_free(&bad);
	mime_free(&m);
	mime_free(&again);
}

/* 1.1.1 of a message in a message in a message, none a multipart. */
static void
single_parts(void **state)
{
	static const char text[] = "Content-Type: message/rfc822\n\n"
	    "Content-Type: message/rfc822\n\nSubject: s\n\nx\n";
	uint32_t one[] = { 1, 1, 1, 1 };
	struct mime_range r;
	struct mime m;

	mime_init(&m);
	assert_int_equal(mime_scan_mem(&m, text, sizeof(text) - 1), 0);
	assert_true(mime_section(&m, one, 1, MIME_BODY, &r));
	assert_int_equal(r.off, strlen("Content-Type: message/rfc822\n\n"));
	assert_true(mime_section(&m, one, 2, MIME_HEADER, &r));
	assert_memory_equal(text + r.off, "Subject: s\n\n", r.len);
	assert_true(mime_section(&m, one, 3, MIME_BODY, &r));
	assert_memory_equal(text + r.off, "x\n", r.len);
	assert_false(mime_section(&m, one, 3, MIME_HEADER, &r));
	assert_false(mime_section(&m, one, 4, MIME_BODY, &r));
	one[0] = 2;
	assert_false(mime_section(&m, one, 1, MIME_BODY, &r));
	mime_free(&m);
}

/* Deeper, and with more parts, than is allowed. */
static void
limits(void **state)
{
	struct mime m, again;
	struct buf b, out;
	int i, n;

	buf_init(&b, 0);
	buf_init(&out, 0);
	mime_init(&m);
	mime_init(&again);
	for (n = 99; n < 130; n++) {
		buf_reset(&b);
		for (i = 0; i < n; i++)
			buf_printf(&b, i % 3 == 0 ?
			    "Content-Type: message/rfc822\n\n" : "Content-Type:"
			    " multipart/mixed; boundary=x%03d\n\n--x%03d\n", i, i);
		buf_puts(&b, "\ntext\n");
		assert_int_equal(mime_scan_mem(&m, b.p, b.len), 0);
		assert_int_equal(m.nparts,
		    n < MIME_MAXDEPTH ? n + 1 : MIME_MAXDEPTH + 1);
		buf_reset(&out);
		assert_true(mime_bodystructure(&m, &out, true));
		assert_int_equal(strstr(out.p, "octet-stream") != NULL,
		    n > MIME_MAXDEPTH);
	}
	buf_reset(&b);
	buf_puts(&b, MIXED "\n");
	for (i = 0; i < MIME_MAXPARTS + 100; i++)
		buf_puts(&b, "--b\n\nx\n");
	assert_int_equal(mime_scan_mem(&m, b.p, b.len), 0);
	assert_int_equal(m.nparts, MIME_MAXPARTS);
	assert_true(m.part[MIME_MAXPARTS - 1].bodylen > 700);
	buf_reset(&out);
	assert_true(mime_pack(&m, &out));
	assert_true(mime_unpack(&again, (struct str){ out.p, out.len }));
	assert_int_equal(again.nparts, MIME_MAXPARTS);
	mime_free(&m);
	mime_free(&again);
	buf_free(&b);
	buf_free(&out);
}

/* Lines, fields and addresses without measure. */
static void
bombs(void **state)
{
	struct mime m;
	struct buf b, out;
	int i;

	buf_init(&b, 0);
	buf_init(&out, 0);
	mime_init(&m);
	for (i = 0; i < 3; i++)
		buf_puts(&b, i == 0 ? "Subject: " : "\nTo: "), buf_printf(&b,
		    "%0*d", 2 * MIME_MAXFIELD, 1);
	buf_puts(&b, "\nCc: ");
	for (i = 0; i < 3 * MIME_MAXADDRS; i++)
		buf_puts(&b, "a,");
	buf_puts(&b, "\nBcc: ");
	for (i = 0; i < 400000; i++)
		buf_puts(&b, "(");
	buf_puts(&b, "\nContent-Type: a/b");
	for (i = 0; i < 3 * MIME_MAXPARAMS; i++)
		buf_printf(&b, "; x*0=%d", i);
	buf_puts(&b, "\n\n");
	same_always((struct str){ b.p, b.len });
	assert_int_equal(mime_scan_mem(&m, b.p, b.len), 0);
	assert_true(mime_envelope(&m, &out));
	assert_true(out.len < 4 * 1024 * 1024);
	mime_free(&m);
	buf_free(&b);
	buf_free(&out);
}

static void
unreadable(void **state)
{
	struct source src = { { tree, sizeof(tree) - 1 }, 10, true };
	struct mime m;

	mime_init(&m);
	assert_int_equal(mime_scan(&m, source, &src, sizeof(tree) - 1), -1);
	assert_int_equal(errno, EIO);
	assert_int_equal(m.nparts, 0);
	/* Shorter than was said. */
	src.fails = false;
	assert_int_equal(mime_scan(&m, source, &src, 1000000), 0);
	assert_int_equal(m.size, sizeof(tree) - 1);
	mime_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(oddities),
		cmocka_unit_test(envelope),
		cmocka_unit_test(numbers),
		cmocka_unit_test(single_parts),
		cmocka_unit_test(limits),
		cmocka_unit_test(bombs),
		cmocka_unit_test(unreadable)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
