/* contract: `ensure`: what a node promises of its output.  Checked before a result is stored, and again when a stored one
 * would be reused: a contract is not part of the key, so tightening it drops exactly the results that break it. */
#ifndef ENGINE_CONTRACT_H
#define ENGINE_CONTRACT_H

#include "base/err.h"
#include "store/results.h"

struct attempt;
struct node;
struct diags;

/* At load time: problems of the contract itself (E-ENSURE-*, E-SCHEMA-*), all at once. */
bool contract_check_spec(
	const struct node *node, const char *file, struct arena *arena, struct diags *diags);

/* After the body: false and *err (E-ENSURE-OUTPUT, E-ENSURE-FILE) where what it made breaks the contract.  `ensure.run` is the
 * caller's to run; contract_command() gives it. */
bool contract_check(struct attempt *attempt, struct err *err);
str contract_command(const struct node *node); /* empty: none */

/* How a stored result breaks today's contract, in the attempt's arena; empty where it holds.  A result that was stored under
 * the very same contract isn't looked at again. */
str contract_recheck(struct attempt *attempt, const struct result_row *row);

/* Records that the result was found to meet today's contract. */
void contract_note_met(struct attempt *attempt, int64_t result);

/* "no contract", "ensure: json, min_bytes 2": for reports. */
void contract_describe(const struct node *node, struct buf *out);

#endif
