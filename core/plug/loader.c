/* loader: one plugin file, from its directory to checked copies of its structs.  Until everything has been checked nothing of
 * the plugin is called; what is checked is what is loaded, because both are the same open descriptor. */
#include "plug/host_internal.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_PLUGIN_BYTES ((off_t)256 << 20)
#define MAX_TYPES        256
#define MAX_ID           255

/* Feature bits of pawl_plugin.must that this host knows. */
#define KNOWN_FEATURES 0u

/* ---- opening ------------------------------------------------------------------------------------------------------------------ */

static bool is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

static bool check_owner(const struct stat *st, const char *what, const char *path, struct err *err)
{
	if (!is_ours(st)) {
		err_set(err, "E-PLUGIN-UNSAFE",
			"the %s %s belongs to user %u, who could change what this process runs",
			what, path, (unsigned)st->st_uid);
		return err_help(err,
			"chown it to root or to yourself, or take its directory out of the plugin path");
	}
	if (st->st_mode & S_IWOTH) {
		err_set(err, "E-PLUGIN-UNSAFE", "the %s %s can be written by everybody (mode %04o)",
			what, path, (unsigned)(st->st_mode & 07777));
		return err_help(err, "chmod o-w %s", path);
	}
	return true;
}

/* -1 with *err empty: there is no such directory. */
static int open_directory(const char *directory, struct err *err)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		err_sys(err, errno, "E-PLUGIN-UNSAFE", "the plugin directory %s", directory);
	return fd;
}

static bool check_directory(int fd, const char *directory, struct err *err)
{
	struct stat st;
	if (directory[0] != '/') {
		err_set(err, "E-PLUGIN-UNSAFE",
			"the plugin directory %s is not absolute: it would mean another one elsewhere",
			directory);
		return err_help(err, "write its whole path, e.g. \"$PWD/%s\"", directory);
	}
	if (fstat(fd, &st) != 0)
		return err_sys(err, errno, "E-PLUGIN-UNSAFE", "the plugin directory %s", directory);
	return check_owner(&st, "plugin directory", directory, err);
}

static bool check_file(int fd, const char *path, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return err_sys(err, errno, "E-PLUGIN-LOAD", "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, "E-PLUGIN-LOAD", "%s is not a regular file", path);
	if (st.st_size > MAX_PLUGIN_BYTES)
		return err_set(err, "E-PLUGIN-LOAD", "%s has %lld bytes; a plugin has at most %lld",
			path, (long long)st.st_size, (long long)MAX_PLUGIN_BYTES);
	return check_owner(&st, "plugin", path, err);
}

/* Reads all of it; copies it where `to` is a file. */
static bool digest_copy(int from, int to, struct digest *digest)
{
	struct hash *hash = hash_create();
	char *block = mem_alloc(1 << 16);
	bool ok = true;
	hash_begin(hash);
	off_t at = 0;
	ssize_t got = 1;
	while (ok && (got = pread(from, block, 1 << 16, at)) > 0) {
		hash_add(hash, str_make(block, (size_t)got));
		ok = to < 0 || pwrite(to, block, (size_t)got, at) == got;
		at += got;
	}
	*digest = hash_end(hash);
	free(block);
	hash_destroy(hash);
	return ok && got == 0;
}

bool loader_digest(int fd, struct digest *out)
{
	return digest_copy(fd, -1, out);
}

/* A copy that nobody can change any more: its digest is that of what is loaded. */
static int seal_copy(int from, const char *path, struct digest *digest, struct err *err)
{
	int fd = memfd_create("pawl-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool ok = fd >= 0 && digest_copy(from, fd, digest) &&
	          fcntl(fd, F_ADD_SEALS,
			  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
	if (!ok) {
		err_sys(err, errno, "E-PLUGIN-LOAD", "%s could not be copied into memory", path);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	return fd;
}

/* A list that a stranger can write is no list: *is_safe is false then. */
static bool is_listed(const char *trust_file, const struct digest *digest, bool *is_safe)
{
	FILE *file = trust_file ? fopen(trust_file, "re") : NULL;
	*is_safe = true;
	if (!file)
		return false;
	struct stat st;
	bool found = false;
	char *line = NULL;
	size_t cap = 0;
	*is_safe = fstat(fileno(file), &st) == 0 && is_ours(&st) &&
	           !(st.st_mode & (S_IWOTH | S_IWGRP));
	while (*is_safe && !found && getline(&line, &cap, file) > 0) {
		struct digest listed;
		str rest = str_trim(str_of(line));
		str first;
		/* What stands behind the digest is for people. */
		found = str_split(&rest, ' ', &first) && digest_parse(first, &listed) &&
		        digest_eq(&listed, digest);
	}
	free(line);
	fclose(file);
	return found;
}

static bool check_trust(struct loader_file *file, const char *trust_file, struct err *err)
{
	struct digest digest;
	int copy = seal_copy(file->fd, file->path, &digest, err);
	if (copy < 0)
		return false;
	close(file->fd);
	file->fd = copy;
	bool is_safe;
	if (is_listed(trust_file, &digest, &is_safe))
		return true;
	if (!is_safe) {
		err_set(err, "E-PLUGIN-UNTRUSTED",
			"%s can't be used: the list of trusted plugins, %s, can be written by others",
			file->path, trust_file);
		return err_help(err, "look what is in it, then: chmod 600 %s", trust_file);
	}
	err_set(err, "E-PLUGIN-UNTRUSTED",
		"the project brings the plugin %s, which you have not trusted: native code of a "
		"project is not run because somebody looks at it",
		file->path);
	return err_help(err, "if you know where it comes from: pawl plugin trust %s", file->path);
}

bool loader_open(const char *directory, str keyword, const char *trust_file,
	enum loader_trust trust, struct loader_file *out, struct err *err)
{
	*out = (struct loader_file){.fd = -1};
	int dir = open_directory(directory, err);
	if (dir < 0)
		return false;
	struct buf text = {0};
	buf_printf(&text, "pawl_%.*s.so", STR_ARG(keyword));
	/* O_NONBLOCK: a FIFO of that name must not stop the program. */
	int fd = openat(dir, buf_cstr(&text), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int number = errno;
	buf_clear(&text);
	buf_printf(&text, "%s/pawl_%.*s.so", directory, STR_ARG(keyword));
	out->fd = fd;
	out->path = buf_take(&text);
	bool ok = fd >= 0;
	if (!ok && number != ENOENT)
		err_sys(err, number, "E-PLUGIN-LOAD", "%s", out->path);
	ok = ok && check_directory(dir, directory, err) && check_file(fd, out->path, err) &&
	     (trust == LOADER_BY_OWNER || check_trust(out, trust_file, err));
	close(dir);
	if (!ok)
		loader_close(out);
	return ok;
}

void loader_close(struct loader_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	*file = (struct loader_file){.fd = -1};
}

/* ---- checking ------------------------------------------------------------------------------------------------------------------ */

/* How many bytes the symbol has by the object's own symbol table; SIZE_MAX: it does not say. */
static size_t symbol_size(const void *symbol)
{
	Dl_info info;
	void *extra = NULL;
	if (!dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) || !extra || info.dli_saddr != symbol)
		return SIZE_MAX;
	const ElfW(Sym) *entry = extra;
	return entry->st_size ? (size_t)entry->st_size : SIZE_MAX;
}

static bool refuse(struct err *err, const char *code, const char *path, const char *help,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

static bool refuse(struct err *err, const char *code, const char *path, const char *help,
	const char *format, ...)
{
	struct buf text = {0};
	va_list args;
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	err_set(err, code, "the plugin %s %s", path, buf_cstr(&text));
	buf_finish(&text);
	return err_help(err, "%s", help);
}

static const char rebuild[] =
	"rebuild it against the pawl_plugin.h of this pawl, or get a release of it that fits";
static const char not_ours[] =
	"is it a plugin of pawl at all?  Remove it from the plugin path if it is not";

/* Reads only what is there: magic and size first, the rest as far as the size goes. */
static bool check_head(
	const pawl_plugin *given, const char *path, pawl_plugin *out, struct err *err)
{
	size_t room = symbol_size(given);
	const size_t head = offsetof(pawl_plugin, id);
	if (room < head)
		return refuse(err, "E-PLUGIN-MAGIC", path, not_ours,
			"exports a pawl_plugin_v1 of only %zu bytes", room);
	memset(out, 0, sizeof(*out));
	memcpy(out, given, head);
	if (out->magic != PAWL_MAGIC)
		return refuse(err, "E-PLUGIN-MAGIC", path, not_ours,
			"has the magic number %08x, not %08x", out->magic, PAWL_MAGIC);
	uint32_t major = out->abi >> 16;
	uint32_t minor = out->abi & 0xffff;
	if (major != HOST_ABI >> 16)
		return refuse(err, "E-PLUGIN-ABI", path, rebuild,
			"speaks ABI %u.%u; this pawl speaks %u.%u", major, minor, HOST_ABI >> 16,
			HOST_ABI & 0xffff);
	if (minor > (HOST_ABI & 0xffff))
		return refuse(err, "E-PLUGIN-ABI", path,
			"update pawl, or build the plugin with a lower PAWL_WANT_MINOR",
			"needs at least ABI %u.%u; this pawl speaks %u.%u", major, minor,
			HOST_ABI >> 16, HOST_ABI & 0xffff);
	if (out->must & ~KNOWN_FEATURES)
		return refuse(err, "E-PLUGIN-MUST", path, "update pawl",
			"needs features that this pawl does not know (bits %08x)",
			out->must & ~KNOWN_FEATURES);
	const size_t least = offsetof(pawl_plugin, init);
	if (out->size < least || out->size > room)
		return refuse(err, "E-PLUGIN-ABI", path, rebuild,
			"says that its description has %u bytes; it has %zu, and %zu are needed",
			out->size, room == SIZE_MAX ? (size_t)out->size : room, least);
	memcpy(out, given, out->size < sizeof(*out) ? out->size : sizeof(*out));
	return true;
}

static bool is_id(const char *id)
{
	size_t n = strnlen(id, MAX_ID + 1);
	for (size_t i = 0; i < n; i++) {
		char c = id[i];
		bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		            (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
		if (!fine)
			return false;
	}
	return n > 0 && n <= MAX_ID;
}

static bool is_keyword(const char *keyword)
{
	size_t n = strnlen(keyword, MAX_ID + 1);
	for (size_t i = 0; i < n; i++) {
		char c = keyword[i];
		if (!(c >= 'a' && c <= 'z') && (i == 0 || !(c == '_' || (c >= '0' && c <= '9'))))
			return false;
	}
	return n > 0 && n <= MAX_ID;
}

static bool check_type(const pawl_type *given, const char *path, pawl_type *out, struct err *err)
{
	const size_t least = offsetof(pawl_type, cancel);
	uint32_t size;
	memcpy(&size, given, sizeof(size));
	if (size < least)
		return refuse(err, "E-PLUGIN-ABI", path, rebuild,
			"describes a node type in %u bytes; %zu are needed", size, least);
	memset(out, 0, sizeof(*out));
	memcpy(out, given, size < sizeof(*out) ? size : sizeof(*out));
	if (!out->keyword || !is_keyword(out->keyword))
		return refuse(err, "E-PLUGIN-KEYWORD", path,
			"tell its author: a keyword is [a-z][a-z0-9_]*",
			"has a node type whose keyword is %s",
			out->keyword ? "not a word" : "missing");
	if (!out->start)
		return refuse(err, "E-PLUGIN-LOAD", path, "tell its author",
			"has no start() for `%s`", out->keyword);
	if (out->cacheable > PAWL_CACHE_DEPENDS)
		return refuse(err, "E-PLUGIN-ABI", path, rebuild,
			"declares `%s` cacheable in a way that this pawl does not know (%u)",
			out->keyword, out->cacheable);
	return true;
}

static bool copy_types(struct loaded *loaded, const char *path, struct err *err)
{
	const pawl_type *const *types = loaded->plugin.types;
	size_t count = 0;
	while (types && count < MAX_TYPES && types[count])
		count++;
	if (count == 0 || count == MAX_TYPES)
		return refuse(err, "E-PLUGIN-LOAD", path, "tell its author", "provides %s",
			count ? "more node types than can be" : "no node type");
	loaded->types = mem_zalloc(mem_mul(count + 1, sizeof(*loaded->types)));
	for (size_t i = 0; i < count; i++) {
		loaded->types[i] = mem_zalloc(sizeof(pawl_type));
		if (!check_type(types[i], path, loaded->types[i], err))
			return false;
	}
	return true;
}

/* The dynamic linker maps what the headers promise and crashes where the file is shorter. */
static bool check_segments(
	const struct loader_file *file, const ElfW(Ehdr) * header, off_t size, struct err *err)
{
	for (size_t i = 0; i < header->e_phnum; i++) {
		ElfW(Phdr) segment;
		off_t at = (off_t)(header->e_phoff + i * sizeof(segment));
		bool is_whole =
			pread(file->fd, &segment, sizeof(segment), at) == (ssize_t)sizeof(segment);
		if (is_whole && segment.p_type == PT_LOAD)
			is_whole = segment.p_offset <= (uint64_t)size &&
			           segment.p_filesz <= (uint64_t)size - segment.p_offset;
		if (!is_whole)
			return refuse(err, "E-PLUGIN-LOAD", file->path, "copy it again",
				"can't be loaded: the file is cut off (%lld bytes)",
				(long long)size);
	}
	return true;
}

static bool check_object(const struct loader_file *file, struct err *err)
{
	/* Of this very program: what a plugin for the same machine has in the same places. */
	static const unsigned char magic[] = {
		0x7f, 'E', 'L', 'F', sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32};
	ElfW(Ehdr) header;
	ElfW(Ehdr) ours = {0};
	struct stat st;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	bool knows = self >= 0 && pread(self, &ours, sizeof(ours), 0) == (ssize_t)sizeof(ours);
	if (self >= 0)
		close(self);
	if (fstat(file->fd, &st) != 0 ||
		pread(file->fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
		memcmp(header.e_ident, magic, sizeof(magic)) != 0 || header.e_type != ET_DYN ||
		header.e_phentsize != sizeof(ElfW(Phdr)))
		return refuse(err, "E-PLUGIN-LOAD", file->path, not_ours,
			"can't be loaded: it is no shared object");
	if (knows && header.e_machine != ours.e_machine)
		return refuse(err, "E-PLUGIN-LOAD", file->path, "build it for this machine",
			"can't be loaded: it is built for another machine (%u, not %u)",
			header.e_machine, ours.e_machine);
	return check_segments(file, &header, st.st_size, err);
}

static void *open_object(struct loader_file *file, struct err *err)
{
	char name[64];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", file->fd);
	struct guard_call call = {.plugin = file->path, .function = "constructor"};
	guard_enter(&call);
	void *object = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	guard_leave(&call);
	if (!object) {
		const char *why = dlerror();
		refuse(err, "E-PLUGIN-LOAD", file->path,
			"is it built for this machine, and are the libraries that it needs installed?  ldd shows them",
			"can't be loaded: %s", why ? why : "no reason given");
		return NULL;
	}
	/* The linker answers the next dlopen of this very name with this very object, so the number must not be used again. */
	file->fd = -1;
	return object;
}

bool loader_load(struct loader_file *file, struct loaded *out, struct err *err)
{
	*out = (struct loaded){0};
	void *object = check_object(file, err) ? open_object(file, err) : NULL;
	if (!object)
		return false;
	const pawl_plugin *given = dlsym(object, "pawl_plugin_v1");
	if (!given)
		return refuse(
			err, "E-PLUGIN-LOAD", file->path, not_ours, "exports no pawl_plugin_v1");
	out->symbol = given;
	if (!check_head(given, file->path, &out->plugin, err))
		return false;
	if (!out->plugin.id || !is_id(out->plugin.id))
		return refuse(err, "E-PLUGIN-LOAD", file->path,
			"tell its author: an id is a reverse domain name, [A-Za-z0-9._-]", "has %s",
			out->plugin.id ? "an id that is none" : "no id");
	if (!out->plugin.version)
		out->plugin.version = "";
	return copy_types(out, file->path, err);
}

void loaded_finish(struct loaded *loaded)
{
	for (size_t i = 0; loaded->types && loaded->types[i]; i++)
		free(loaded->types[i]);
	free(loaded->types);
	*loaded = (struct loaded){0};
}
