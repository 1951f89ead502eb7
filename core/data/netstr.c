/* netstr: see netstr.h. */
#include "data/netstr.h"

void netstr_add(struct buf *out, str text)
{
	buf_add_char(out, ' ');
	buf_add_u64(out, text.len);
	buf_add_char(out, ':');
	buf_add(out, text);
}

bool netstr_take_word(str *rest, str *word)
{
	size_t end = 0;
	while (end < rest->len && rest->ptr[end] != ' ' && rest->ptr[end] != '\n')
		end++;
	*word = str_slice(*rest, 0, end);
	*rest = str_slice(*rest, end, rest->len);
	return end > 0;
}

bool netstr_take_char(str *rest, char c)
{
	if (!rest->len || rest->ptr[0] != c)
		return false;
	*rest = str_slice(*rest, 1, rest->len);
	return true;
}

bool netstr_take_text(str *rest, str *text)
{
	size_t colon = str_find_char(*rest, ':', 0);
	uint64_t len = 0;
	if (!rest->len || rest->ptr[0] != ' ' || colon == SIZE_MAX ||
		!str_to_u64(str_slice(*rest, 1, colon), &len))
		return false;
	*rest = str_slice(*rest, colon + 1, rest->len);
	if (len > rest->len)
		return false;
	*text = str_slice(*rest, 0, (size_t)len);
	*rest = str_slice(*rest, (size_t)len, rest->len);
	return true;
}

bool netstr_octal(str text, size_t digits, uint32_t *mode)
{
	*mode = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '7')
			return false;
		*mode = *mode * 8 + (uint32_t)(text.ptr[i] - '0');
	}
	return text.len > 0 && text.len <= digits;
}
