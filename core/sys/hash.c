/* hash: SHA-256 through EVP.  The algorithm is fetched once a process and a context is kept for each thread, which makes
 * a digest of a short text cost little more than its compression rounds.  See hash.h. */
#include "sys/hash.h"

#include "base/mem.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct hash {
	EVP_MD_CTX *context;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_exit;
static EVP_MD *sha256;
static _Thread_local struct hash *of_this_thread;

/* Nothing can be decided, and so nothing reused, without digests: there is no going on. */
static void give_up(const char *what) __attribute__((noreturn));

static void give_up(const char *what)
{
	fprintf(stderr, "pawl: %s failed; nothing can be recorded without it\n", what);
	_Exit(4);
}

static void destroy_at_exit(void *ptr)
{
	of_this_thread = NULL;
	hash_destroy(ptr);
}

static void set_up(void)
{
	/* No configuration: openssl.cnf and OPENSSL_CONF could load modules of a stranger, and reading them
	 * costs start-up time.  No atexit: workers may still be hashing while the process leaves. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!sha256)
		give_up("SHA-256 of the crypto library");
	if (pthread_key_create(&at_thread_exit, destroy_at_exit))
		give_up("pthread_key_create");
}

struct hash *hash_create(void)
{
	pthread_once(&once, set_up);
	struct hash *hash = mem_alloc(sizeof(*hash));
	hash->context = EVP_MD_CTX_new();
	if (!hash->context || !EVP_DigestInit_ex2(hash->context, sha256, NULL))
		give_up("making a SHA-256 context");
	return hash;
}

void hash_destroy(struct hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	free(hash);
}

void hash_begin(struct hash *hash)
{
	/* No algorithm given: the context keeps its own, which skips the look-up. */
	if (!EVP_DigestInit_ex2(hash->context, NULL, NULL))
		give_up("beginning a SHA-256");
}

void hash_add(struct hash *hash, str bytes)
{
	if (bytes.len && !EVP_DigestUpdate(hash->context, bytes.ptr, bytes.len))
		give_up("SHA-256");
}

struct digest hash_end(struct hash *hash)
{
	struct digest digest;
	if (!EVP_DigestFinal_ex(hash->context, digest.bytes, NULL))
		give_up("ending a SHA-256");
	return digest;
}

static struct hash *own_hash(void)
{
	if (!of_this_thread) {
		of_this_thread = hash_create();
		pthread_setspecific(at_thread_exit, of_this_thread);
	}
	return of_this_thread;
}

struct digest hash_of(str bytes)
{
	struct hash *hash = own_hash();
	hash_begin(hash);
	hash_add(hash, bytes);
	return hash_end(hash);
}

struct digest hash_keyed(str key, str bytes)
{
	unsigned char block[64] = {0}; /* of SHA-256, in RFC 2104's sense */
	if (key.len > sizeof(block)) {
		struct digest short_key = hash_of(key);
		memcpy(block, short_key.bytes, DIGEST_SIZE);
	} else if (key.len) {
		memcpy(block, key.ptr, key.len);
	}
	str pad = {(const char *)block, sizeof(block)};
	struct hash *hash = own_hash();

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36;
	hash_begin(hash);
	hash_add(hash, pad);
	hash_add(hash, bytes);
	struct digest inner = hash_end(hash);

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] ^= 0x36 ^ 0x5c;
	hash_begin(hash);
	hash_add(hash, pad);
	hash_add(hash, (str){(const char *)inner.bytes, DIGEST_SIZE});
	OPENSSL_cleanse(block, sizeof(block));
	return hash_end(hash);
}

void digest_add_hex(struct buf *buf, const struct digest *digest)
{
	buf_add_hex(buf, digest->bytes, DIGEST_SIZE);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool digest_parse(str hex, struct digest *out)
{
	if (hex.len != 2 * DIGEST_SIZE)
		return false;
	struct digest digest;
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(hex.ptr[2 * i]);
		int low = hex_value(hex.ptr[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		digest.bytes[i] = (unsigned char)(high << 4 | low);
	}
	*out = digest;
	return true;
}

void hash_random(void *out, size_t n)
{
	char *at = out;
	while (n) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno != EINTR)
			give_up("getrandom");
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		}
	}
}
