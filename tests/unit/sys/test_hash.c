/* SHA-256 against FIPS 180-4 and NIST CAVP vectors, HMAC against RFC 4231, and use by several threads at once. */
#include "base/mem.h"
#include "sys/hash.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_hex(struct digest digest, const char *expected)
{
	struct buf hex = {0};
	digest_add_hex(&hex, &digest);
	assert_string_equal(buf_cstr(&hex), expected);
	buf_finish(&hex);
}

/* The bytes that hexadecimal text stands for; the caller frees them. */
static str unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	char *bytes = mem_alloc(n);
	for (size_t i = 0; i < n; i++) {
		char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		bytes[i] = (char)strtol(two, NULL, 16);
	}
	return (str){bytes, n};
}

static void free_str(str s)
{
	free((void *)(uintptr_t)s.ptr);
}

static void test_vectors(void **state)
{
	(void)state;
	static const struct {
		const char *message; /* hexadecimal */
		const char *digest;
	} cases[] = {
		{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"d3", "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1"},
		{"616263", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"6162636462636465636465666465666765666768666768696768696a68696a6b"
		 "696a6b6c6a6b6c6d6b6c6d6e6c6d6e6f6d6e6f706e6f7071",
			"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str message = unhex(cases[i].message);
		assert_hex(hash_of(message), cases[i].digest);
		free_str(message);
	}
}

static void test_million_in_uneven_pieces(void **state)
{
	(void)state;
	struct hash *hash = hash_create();
	char *as = mem_alloc(1000);
	memset(as, 'a', 1000);
	for (int round = 0; round < 2; round++) {
		hash_begin(hash);
		size_t left = 1000000;
		for (size_t n = 1; left; n = n % 997 + 1) {
			size_t take = n < left ? n : left;
			hash_add(hash, str_make(as, take));
			left -= take;
		}
		assert_hex(hash_end(hash),
			"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
	free(as);
	hash_destroy(hash);
	hash_destroy(NULL);
}

static void test_begin_forgets(void **state)
{
	(void)state;
	struct hash *hash = hash_create();
	hash_begin(hash);
	hash_add(hash, STR("left over"));
	hash_begin(hash);
	hash_add(hash, STR("abc"));
	struct digest digest = hash_end(hash);
	struct digest expected = hash_of(STR("abc"));
	assert_true(digest_eq(&digest, &expected));
	hash_destroy(hash);
}

static void test_keyed(void **state)
{
	(void)state;
	static const struct {
		const char *key; /* hexadecimal; of RFC 4231's cases 1, 2, 3, 4, 6 and 7 */
		const char *data;
		const char *digest;
	} cases[] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
			"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"dddddddddddddddddddddddddddddddddddddddddddddddddd"
			"dddddddddddddddddddddddddddddddddddddddddddddddddd",
			"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{"0102030405060708090a0b0c0d0e0f10111213141516171819",
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
			"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
			"82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		str key = unhex(cases[i].key);
		str data = unhex(cases[i].data);
		assert_hex(hash_keyed(key, data), cases[i].digest);
		free_str(key);
		free_str(data);
	}
	char long_key[131];
	memset(long_key, 0xaa, sizeof(long_key));
	assert_hex(hash_keyed(str_make(long_key, sizeof(long_key)),
			   STR("Test Using Larger Than Block-Size Key - Hash Key First")),
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_hex(hash_keyed(str_make(long_key, sizeof(long_key)),
			   STR("This is a test using a larger than block-size key and a larger "
			       "than block-size data. The key needs to be hashed before being "
			       "used by the HMAC algorithm.")),
		"9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_hex(void **state)
{
	(void)state;
	static const char good[] =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	struct digest digest = {{0}};
	struct digest expected = hash_of(STR("abc"));
	assert_true(digest_parse(str_of(good), &digest));
	assert_true(digest_eq(&digest, &expected));

	struct digest untouched = digest;
	static const char *const bad[] = {"", "ba78",
		"BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
		"../816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		" a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(digest_parse(str_of(bad[i]), &digest));
		assert_true(digest_eq(&digest, &untouched));
	}
}

static void test_random(void **state)
{
	(void)state;
	unsigned char a[1000] = {0};
	unsigned char b[1000] = {0};
	hash_random(a, sizeof(a));
	hash_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	hash_random(a, 0);
	size_t seen[256] = {0};
	for (size_t i = 0; i < sizeof(b); i++)
		seen[b[i]]++;
	for (size_t i = 0; i < 256; i++)
		assert_true(seen[i] < 50);
}

static void *hash_much(void *ptr)
{
	size_t *wrong = ptr;
	static const char text[] = "a text that every thread hashes at the same time as the others";
	struct hash *hash = hash_create();
	struct digest whole = hash_of(str_of(text));
	for (size_t n = 0; n < 3000; n++) {
		str part = str_make(text, n % sizeof(text));
		struct digest a = hash_of(part);
		hash_begin(hash);
		hash_add(hash, part);
		struct digest b = hash_end(hash);
		struct digest again = hash_of(str_of(text));
		*wrong += !digest_eq(&a, &b) || !digest_eq(&again, &whole);
	}
	hash_destroy(hash);
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	enum { COUNT = 4 };
	pthread_t threads[COUNT];
	size_t wrong[COUNT] = {0};
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hash_much, &wrong[i]), 0);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(wrong[i], 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_million_in_uneven_pieces),
		cmocka_unit_test(test_begin_forgets),
		cmocka_unit_test(test_keyed),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
