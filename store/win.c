/* Windows on files: in delivery and in workers. */
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "win.h"

int
win_init(struct win *w, int fd, uint64_t size)
{
	w->fd = fd;
	w->size = size;
	w->off = 0;
	w->len = 0;
	w->buf = malloc(WIN_SIZE);
	return w->buf != NULL ? 0 : -1;
}

void
win_free(struct win *w)
{
	free(w->buf);
	w->buf = NULL;
}

struct str
win_at(struct win *w, uint64_t off, size_t want)
{
	struct str s = { w->buf, 0 };
	ssize_t n;

	if (off >= w->size)
		return s;
	if (want > w->size - off)
		want = w->size - off;
	if (off < w->off || off + want > w->off + w->len) {
		n = file_pread(w->fd, w->buf, WIN_SIZE, off);
		w->off = off;
		w->len = n > 0 ? n : 0;
	}
	s.p = w->buf + (off - w->off);
	s.len = w->len - (off - w->off);
	return s;
}

uint64_t
win_measure(struct win *w, uint64_t off, uint64_t end, bool *open)
{
	uint64_t wire = end - off;
	const char *p, *lf, *stop;
	char prev = '\0';
	struct str s;

	*open = false;
	if (off == end)
		return 0;
	for (; off < end; off += s.len) {
		s = win_at(w, off, end - off < WIN_SIZE ? end - off : WIN_SIZE);
		if (s.len > end - off)
			s.len = end - off;
		if (s.len == 0)
			break;
		stop = s.p + s.len;
		for (p = s.p; (lf = memchr(p, '\n', stop - p)) != NULL;
		     p = lf + 1)
			if ((lf > s.p ? lf[-1] : prev) != '\r')
				wire++;
		prev = stop[-1];
	}
	*open = prev != '\n';
	return wire;
}
