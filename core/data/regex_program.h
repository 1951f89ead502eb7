/* regex_program: what a compiled expression is; between regex.c, which makes it, and regex_match.c, which runs it. */
#ifndef DATA_REGEX_PROGRAM_H
#define DATA_REGEX_PROGRAM_H

#include "data/regex.h"

/* Bytes that are not UTF-8 are characters REGEX_BYTE + byte. */
#define REGEX_BYTE 0x110000u
#define REGEX_LAST (REGEX_BYTE + 0xFFu)

enum regex_op {
	REGEX_CHAR,     /* one character: arg */
	REGEX_CLASS,    /* one character of classes[arg] */
	REGEX_SPLIT,    /* go on at both x and y */
	REGEX_JUMP,     /* go on at x */
	REGEX_BEGIN,    /* only at the begin of the subject */
	REGEX_END,      /* only at its end */
	REGEX_WORD,     /* only between a word character and none */
	REGEX_NOT_WORD, /* only elsewhere */
	REGEX_MATCH,
};

/* Targets count from the instruction, so that a run of them can be copied as it is. */
struct regex_inst {
	enum regex_op op;
	uint32_t arg;
	int32_t x;
	int32_t y;
};

struct regex_range {
	uint32_t first;
	uint32_t last;
};

struct regex_class {
	uint8_t ascii[16]; /* a bit a character below 128 */
	size_t from;       /* ranges[from, to), sorted, apart from each other */
	size_t to;
};

struct regex {
	struct regex_inst *insts;
	size_t count;
	struct regex_class *classes;
	struct regex_range *ranges;
	bool is_anchored;   /* every match begins at the begin of the subject */
	bool has_first;     /* every match begins with one of the bytes of `first` */
	uint8_t first[256]; /* 1: a match may begin with that byte */
};

static inline bool regex_is_word(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

bool regex_class_has(const struct regex *regex, uint32_t class, uint32_t code);

/* Fills is_anchored, has_first and first. */
void regex_find_first(struct regex *regex);

#endif
