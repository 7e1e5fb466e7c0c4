/* Sections of messages as they are sent, and looking for text in them. */
#include "store_test.h"

#include "buf.h"
#include "imapd/session/fetch_section.h"
#include "imapd/session/search_judge.h"

static struct acct	*owner;
static struct box	*box;
static struct text	 text;

static void
open_with(const char *const *texts)
{
	struct stored_msg m = { .fd = -1, .date = 1 };

	owner = account(true);
	box = inbox(owner);
	for (; *texts != NULL; texts++) {
		m.text = *texts;
		m.size = strlen(*texts);
		assert_int_equal(box_put(box, &m, 1), 0);
	}
	assert_int_equal(box_refresh(box), 0);
	text_init(&text, box, true);
}

static void
done(void)
{
	text_free(&text);
	box_close(box);
	acct_free(owner);
}

/* The whole answer to one item: label, literal. */
static char *
answer(uint32_t i, const char *item, size_t *len)
{
	struct cur c = cur_str(item);
	struct section s;
	struct fetch_cmd f;
	struct buf out;

	assert_null(fetch_parse(&c, false, &f));
	buf_init(&out, 0);
	text_message(&text, box_rec(box, i));
	assert_true(section_begin(&s, &text, &f, &f.items[0], &out));
	while (s.active)
		assert_true(section_more(&s, &text, &out));
	fetch_free(&f);
	*len = out.len;
	return buf_steal(&out);
}

/* The literal's octets (free the answer); NULL: NIL. */
static char *
octets(uint32_t i, const char *item, char **at, size_t *len)
{
	char *all = answer(i, item, len), *p = strstr(all, " {");
	size_t said;

	if (p == NULL) {
		assert_non_null(strstr(all, " NIL"));
		*at = NULL;
		return all;
	}
	said = strtoul(p + 2, &p, 10);
	assert_memory_equal(p, "}\r\n", 3);
	*at = p + 3;
	*len -= *at - all;
	assert_int_equal(*len, said);
	return all;
}

static void
assert_section(uint32_t i, const char *item, const char *want)
{
	size_t len;
	char *at, *all = octets(i, item, &at, &len);

	if (want == NULL)
		assert_null(at);
	else
		assert_string_equal(at, want);
	free(all);
}

/* As it is sent, by the simplest of means. */
static char *
wire(const char *p)
{
	struct buf b;
	char last = '\n';

	buf_init(&b, 0);
	for (; *p != '\0'; last = *p++) {
		if (*p == '\n' && last != '\r')
			buf_putc(&b, '\r');
		buf_putc(&b, *p);
	}
	if (last != '\n')
		buf_puts(&b, "\r\n");
	return buf_steal(&b);
}

static const char nested[] = "Subject: nested\n"
    "X: a\n\tb\n"
    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=A\n\n"
    "--A\n\none\n--A\nContent-Type: message/rfc822\n\n"
    "Subject: inner\n\ntwo\n--A--\nend\n";

static void
test_sections(void **state)
{
	const char *const texts[] = { nested, "\n", "Subject: x\n", "\nx\n",
		NULL };

	open_with(texts);
	assert_section(0, "BODY[1]", "one");
	assert_section(0, "BODY[1.MIME]", "\r\n");
	assert_section(0, "BODY[2]", "Subject: inner\r\n\r\ntwo");
	assert_section(0, "BODY[2.TEXT]", "two");
	assert_section(0, "BODY[2.HEADER]", "Subject: inner\r\n\r\n");
	assert_section(0, "BODY[2.1]", "two");
	assert_section(0, "BODY[3]", NULL);
	assert_section(0, "BODY[HEADER.FIELDS (x)]", "X: a\r\n\tb\r\n\r\n");
	assert_section(0, "BODY[HEADER.FIELDS.NOT (x MIME-Version "
	    "Content-Type)]", "Subject: nested\r\n\r\n");
	assert_section(0, "BODY[HEADER.FIELDS (y)]", "\r\n");
	assert_section(0, "BODY[HEADER.FIELDS (x)]<3.2>", "a\r");
	assert_section(0, "BODY[1]<1.1>", "n");
	assert_section(0, "BODY[1]<3.1>", "");
	assert_section(0, "BODY[1]<4294967295.1>", "");
	assert_section(1, "BODY[]", "\r\n");
	assert_section(1, "BODY[HEADER]", "\r\n");
	assert_section(1, "BODY[TEXT]", "");
	assert_section(2, "BODY[]", "Subject: x\r\n");
	assert_section(2, "BODY[TEXT]", "");
	assert_section(3, "BODY[TEXT]", "x\r\n");
	assert_section(3, "BODY[HEADER]", "\r\n");
	assert_section(3, "BODY[HEADER.FIELDS (x)]", "\r\n");
	done();
}

/* Lines of any length with any ends, more than a window of them. */
static char *
odd_message(size_t size)
{
	static const char *const ends[] = { "\n", "\n", "\n", "\r\n", "\r",
		"\n\n", "\r\r\n", "\n\r\n" };
	struct buf b;
	unsigned n;

	srandom(7);
	buf_init(&b, 0);
	buf_puts(&b, "Subject: odd\n\n");
	while (b.len < size) {
		n = random() % 100;
		if (n == 0)
			n = random() % 70000;
		while (n-- > 0)
			buf_putc(&b, 'a' + random() % 26);
		buf_puts(&b, ends[random() % 8]);
	}
	buf_puts(&b, "\n");
	return buf_steal(&b);
}

static void
assert_partial(const char *item, uint64_t off, uint64_t n, const char *want,
    size_t size)
{
	char text_of_item[100], *all, *at;
	size_t len, left = off < size ? size - off : 0;

	snprintf(text_of_item, sizeof(text_of_item), "%s<%llu.%llu>", item,
	    (unsigned long long)off, (unsigned long long)n);
	all = octets(0, text_of_item, &at, &len);
	assert_int_equal(len, n < left ? n : left);
	assert_memory_equal(at, want + (off < size ? off : 0), len);
	free(all);
}

static void
test_long(void **state)
{
	char *odd = odd_message(3 * TEXT_WINDOW), *sent = wire(odd), *body;
	const char *const texts[] = { odd, NULL };
	size_t size = strlen(sent), off, n;
	int i;

	open_with(texts);
	assert_int_equal(box_rec(box, 0)->wire, size);
	assert_section(0, "BODY[]", sent);
	body = strstr(sent, "\r\n\r\n") + 4;
	assert_section(0, "BODY[TEXT]", body);
	for (off = 0; off < size; off += 10007)
		assert_partial("BODY[]", off, 10007, sent, size);
	for (i = 0; i < 300; i++) {
		off = random() % (size + 100);
		n = 1 + random() % (i % 10 == 0 ? size : 3000);
		assert_partial("BODY[]", off, n, sent, size);
		assert_partial("BODY[TEXT]", off, n, body,
		    size - (body - sent));
	}
	done();
	free(odd);
	free(sent);
}

/* --- search --- */

static bool
matches(const char *keys, uint32_t i)
{
	struct search_cmd s;
	struct candidate m = { .rec = box_rec(box, i), .seq = i + 1 };
	struct cur c = cur_str(keys);
	const char *why = search_parse(&c, &s);
	struct judge j;
	enum verdict v;

	if (why != NULL)
		fail_msg("%s: %s", keys, why);
	m.uid = m.rec->uid;
	judge_init(&j, &s, box, box_count(box), m.uid);
	while ((v = judge(&j, &m)) == JUDGE_LATER)
		continue;
	assert_false(j.failed);
	judge_free(&j);
	search_free(&s);
	return v == JUDGE_YES;
}

static void
test_search(void **state)
{
	const char *const texts[] = { nested,
		"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_all?=\n"
		"Date: 1 Feb 1999 23:00:00 -0800\n"
		"Content-Transfer-Encoding: base64\n\n"
		"R3LDvMOfZSBhdXMgS8O2bG4K\n", NULL };

	open_with(texts);
	assert_true(matches("SUBJECT nested", 0));
	assert_false(matches("SUBJECT inner", 0));
	assert_true(matches("BODY inner", 0));
	assert_true(matches("HEADER x \"A B\"", 0));
	assert_true(matches("BODY two", 0));
	assert_false(matches("BODY nested", 0));
	assert_true(matches("TEXT nested", 0));
	assert_false(matches("BODY end", 0));
	assert_true(matches("SUBJECT \"gr\xc3\xbcsse ALL\"", 1));
	assert_true(matches("BODY \"GR\xc3\x9c\xc3\x9f" "E AUS\"", 1));
	assert_true(matches("SENTON 1-Feb-1999 SENTBEFORE 2-Feb-1999", 1));
	assert_false(matches("SENTSINCE 2-Feb-1999", 1));
	assert_false(matches("NOT TEXT k\xc3\xb6ln", 1));
	/* Many at once: in the header, a field, a part, nowhere. */
	assert_true(matches("OR BODY nowhere TEXT nested", 0));
	assert_true(matches("TEXT nested BODY two TEXT inner TEXT \"a B\"", 0));
	assert_false(matches("TEXT nested BODY two TEXT inner BODY nest", 0));
	assert_true(matches("NOT BODY nowhere BODY one NOT TEXT zero", 0));
	assert_true(matches("OR (BODY none) (TEXT gr\xc3\xbc\xc3\x9f" "e "
	    "OR BODY no BODY \"aus k\xc3\xb6\")", 1));
	assert_false(matches("SUBJECT gr TEXT all BODY all", 1));
	done();
}

/* A word wherever it lies in a long message, encoded or not. */
static void
test_search_long(void **state)
{
	enum { SIZE = 3 * TEXT_WINDOW };
	char *p = calloc(1, SIZE + 1);
	const char *const texts[] = { p, NULL };
	size_t off, head, i;

	strcpy(p, "Content-Type: text/plain; charset=utf-8\n"
	    "Content-Transfer-Encoding: quoted-printable\n\n");
	head = strlen(p);
	for (i = head; i < SIZE; i++)
		p[i] = i % 70 == 0 ? '\n' : 'x';
	p[SIZE - 1] = '\n';
	for (off = TEXT_WINDOW - 12; off < TEXT_WINDOW + 12; off++) {
		memset(p + TEXT_WINDOW - 100, 'x', 200);
		memcpy(p + off, "N=C3=BCdel", 10);
		open_with(texts);
		assert_true(matches("BODY n\xc3\x9c" "DEL", 0));
		assert_false(matches("BODY n\xc3\x9c" "DELN", 0));
		done();
		unlinkat(top, "INBOX.mbox", 0);
	}
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { T(test_sections), T(test_long),
		T(test_search), T(test_search_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
