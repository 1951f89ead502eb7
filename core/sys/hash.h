/* hash: SHA-256 and HMAC-SHA-256 over OpenSSL's EVP, with the algorithm fetched once. */
#ifndef SYS_HASH_H
#define SYS_HASH_H

#include "base/buf.h"

#define DIGEST_SIZE 32

struct digest {
	unsigned char bytes[DIGEST_SIZE];
};

struct hash; /* a running SHA-256; reused for many digests */

struct hash *hash_create(void);
void hash_destroy(struct hash *hash);
void hash_begin(struct hash *hash);
void hash_add(struct hash *hash, str bytes);
struct digest hash_end(struct hash *hash);

/* In one go. */
struct digest hash_of(str bytes);
struct digest hash_keyed(str key, str bytes);

static inline bool digest_eq(const struct digest *a, const struct digest *b)
{
	return memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}

/* 64 lower-case hexadecimal digits; parsing accepts those and nothing else. */
void digest_add_hex(struct buf *buf, const struct digest *digest);
bool digest_parse(str hex, struct digest *out);

/* n random bytes from the kernel. */
void hash_random(void *out, size_t n);

#endif
