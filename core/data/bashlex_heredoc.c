/* bashlex_heredoc: here-documents.  They are noted where "<<" stands and read at the next line; a substitution reads only
 * its own.  See bashlex.h. */
#include "data/bashlex.h"

void bashlex_doc_open(struct bashlex *lx, bool strip_tabs)
{
	while (bashlex_peek(lx, 0) == ' ' || bashlex_peek(lx, 0) == '\t')
		lx->at++;
	/* The delimiter is not expanded: references in it are refused, and its bytes read as they stand. */
	struct bash_word word;
	enum bash_taboo saved = lx->now.taboo;
	lx->now.taboo = BASH_DELIMITER;
	bashlex_word(lx, BASH_WORD_PLAIN, &word);
	lx->now.taboo = saved;
	str written = str_slice(lx->body, word.start, word.end);
	/* Only quotes are removed, which the text of a literal word shows; expansions stay as written. */
	bool plain = word.literal && !word.artifacts;
	str delimiter = plain ? bashlex_keep(lx, &word, 0) : written;
	*vec_push(&lx->docs) =
		(struct bash_doc){delimiter, word.start, word.end, word.quoted, strip_tabs};
	bashlex_word_finish(&word);
}

/* Whether the line [from, to) ends the document.  In a substitution what is behind the delimiter, with the ')', still
 * belongs to the commands: *after is where they go on. */
static bool is_delimiter(
	const struct bashlex *lx, const struct bash_doc *doc, str line, size_t to, size_t *after)
{
	str rest = line;
	while (doc->strip_tabs && rest.len && rest.ptr[0] == '\t')
		rest = str_slice(rest, 1, rest.len);
	*after = to < lx->end ? to + 1 : to;
	if (str_eq(rest, doc->delimiter))
		return true;
	if (!lx->now.in_substitution || !str_starts(rest, doc->delimiter) ||
		!memchr(rest.ptr + doc->delimiter.len, ')', rest.len - doc->delimiter.len))
		return false;
	*after = (size_t)(rest.ptr - lx->body.ptr) + doc->delimiter.len;
	return true;
}

/* The end of the document that begins at lx->at; *after is behind its delimiter. */
static size_t find_end(const struct bashlex *lx, const struct bash_doc *doc, size_t *after)
{
	bool joined = false;
	for (size_t from = lx->at; from < lx->end;) {
		size_t to = str_find_char(lx->body, '\n', from);
		if (to > lx->end)
			to = lx->end;
		if (!joined && is_delimiter(lx, doc, str_slice(lx->body, from, to), to, after))
			return from;
		size_t slashes = 0;
		while (to > from + slashes && lx->body.ptr[to - slashes - 1] == '\\')
			slashes++;
		joined = !doc->quoted && slashes % 2;
		from = to + 1;
	}
	*after = lx->end;
	return lx->end;
}

static void read_body(struct bashlex *lx, size_t end)
{
	lx->end = end;
	lx->now.word = NULL;
	while (bashlex_more(lx)) {
		char c = bashlex_peek(lx, 0);
		if (c == '\\')
			lx->at += lx->at + 1 < lx->end ? 2 : 1;
		else if (c == '$')
			bashlex_dollar(lx, BASH_QUOTED);
		else if (c == '`')
			bashlex_backquote(lx);
		else
			lx->at++;
	}
}

static void read_doc(struct bashlex *lx, const struct bash_doc *doc)
{
	size_t after = 0;
	size_t start = lx->at;
	size_t end = find_end(lx, doc, &after);
	if (doc->quoted) {
		lx->now.taboo_start = doc->word_start;
		lx->now.taboo_end = doc->word_end;
		bashlex_refuse_in(lx, start, end, BASH_RAWDOC);
	} else {
		size_t saved_end = lx->end;
		struct bash_word *saved_word = lx->now.word;
		read_body(lx, end);
		lx->end = saved_end;
		lx->now.word = saved_word;
	}
	lx->at = after;
}

void bashlex_docs(struct bashlex *lx)
{
	/* Reading one may list others behind it for a while, which moves the array. */
	for (size_t i = lx->now.docs_from; i < lx->docs.len && !lx->broken; i++) {
		struct bash_doc doc = lx->docs.ptr[i];
		read_doc(lx, &doc);
	}
	lx->docs.len = lx->now.docs_from;
}
