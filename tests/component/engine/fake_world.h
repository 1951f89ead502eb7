/* fake_world: a world that is only played: a clock that jumps from event to event, children that follow a script, no
 * process and no sleep.  What a child does stands in its second argument:
 *
 *     "100 out=text"          ends after 100 ms with exit 0 and has printed "text"
 *     "5 exit=3 | 7"          exit 3 at the first try of this node in the world, 0 at all later ones
 *     "50 signal=9"           ends by a signal
 *     "9000 deaf"             does not heed SIGTERM
 */
#ifndef FAKE_WORLD_H
#define FAKE_WORLD_H

#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "sys/world.h"

struct fake_start {
	char node[32];
	uint64_t at_ms;
};

struct fake_event; /* in time order, then in the order of making */

struct fake_world {
	struct world world; /* hand out &fake->world */
	uint64_t now_ms;
	VEC(struct fake_event *) events; /* a heap */
	uint64_t made;                   /* events so far */
	bool is_over;
	uint32_t running;
	uint32_t most_running;
	VEC(struct fake_start) starts;
	struct map tries; /* node -> how often it was started, uint32_t * */
	struct arena arena;
	uint32_t refuse; /* so many of the next starts are refused */
	void (*on_signal)(void *arg, int signal);
	void *signal_arg;
	void (*on_turn)(void *arg);
	void *turn_arg;
};

void fake_world_init(struct fake_world *fake);
void fake_world_finish(struct fake_world *fake);

/* At that time: the signal is delivered, as if somebody pressed ^C. */
void fake_signal_at(struct fake_world *fake, uint64_t at_ms, int signal);
/* At that time: fn(arg). */
void fake_call_at(struct fake_world *fake, uint64_t at_ms, void (*fn)(void *arg), void *arg);

/* How often the node was started; when its n-th start (from 0) was, UINT64_MAX where there was none. */
uint32_t fake_started(const struct fake_world *fake, const char *node);
uint64_t fake_start_ms(const struct fake_world *fake, const char *node, uint32_t n);
/* Forgets the starts and goes on with the clock where it is. */
void fake_forget(struct fake_world *fake);

#endif
