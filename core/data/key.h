/* key: the labelled transcript from which a node's cache key is made.  The very bytes that are hashed are what is stored,
 * shown by `why` and compared by `diff`, so that the explanation can't drift from the decision.
 *
 * The transcript is a sequence of lines "TAG LABEL-LENGTH:LABEL VALUE-LENGTH:VALUE\n" behind the domain line
 * "pawl-key-1\n"; being length-prefixed, no two different sequences give the same bytes. */
#ifndef DATA_KEY_H
#define DATA_KEY_H

#include "base/buf.h"
#include "sys/hash.h"

struct key {
	struct buf text;
	size_t open; /* lists begun and not ended */
};

/* Lists within lists; deeper is a mistake of the program, which ends it. */
#define KEY_MAX_DEPTH 32

/* Starts anew: {0} at first, later one that was used, whose memory is used again. */
void key_begin(struct key *key);
void key_text(struct key *key, str label, str value);
void key_u64(struct key *key, str label, uint64_t value);
void key_digest(struct key *key, str label, const struct digest *digest);
void key_absent(struct key *key, str label);
void key_open(struct key *key, str label);
void key_close(struct key *key);
struct digest key_digest_of(const struct key *key);
void key_finish(struct key *key);

/* One element, read back. */
struct key_part {
	char tag; /* 't' text, 'n' number, 'd' digest, 'a' absent, '(' begin of a list, ')' its end */
	str label; /* labels of enclosing lists joined with '/': "env/LANG" */
	str value;
};

/* Parses a whole transcript; false when it is not one (a damaged row).  Labels are in `arena`, values in the transcript.
 * The end of a list has the label of that list.  A transcript that parses is, byte for byte, what building its parts
 * again gives. */
struct key_parts {
	struct key_part *ptr;
	size_t len;
};
struct arena;
bool key_parse(struct arena *arena, str transcript, struct key_parts *out);

/* What differs between two transcripts: parts of `now` that are new or have another value, in its order, then parts of
 * `then` that are gone.  Parts with one label are compared in their order.  A list that is new or gone shows by what is
 * in it, or by its '(' where it is empty.  Empty only where the transcripts are the same: where no more than the order
 * changed, the one change has the first part that is not where it was, as `now`, and what was there, as `then`. */
struct key_change {
	str label;
	const struct key_part *then; /* NULL: it is new */
	const struct key_part *now;  /* NULL: it is gone */
};
struct key_changes {
	struct key_change *ptr;
	size_t len;
};
struct key_changes key_diff(
	struct arena *arena, const struct key_parts *then, const struct key_parts *now);

#endif
