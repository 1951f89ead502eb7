/* ref_value: the text that a reference yields for a typed value.  See ref.h. */
#include "data/json.h"
#include "data/ref.h"

void ref_value_text(struct buf *out, const struct value *value)
{
	if (!value || value->kind == VALUE_NULL)
		return;
	if (value->kind == VALUE_STRING)
		buf_add(out, value->as.text);
	else
		json_write(out, value);
}
