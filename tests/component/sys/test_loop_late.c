/* loop: what has happened comes before what is late, however long this process was held up. */
#include "loop_fixture.h"

#include "sys/loop_internal.h"

enum { MANY = 100 };

struct race {
	struct seen seen[MANY];
	int32_t pids[MANY];
	int late;
};

struct racer {
	struct race *race;
	int which;
};

static void is_late(void *arg)
{
	const struct racer *racer = arg;
	racer->race->late += racer->race->seen[racer->which].exits == 0;
}

static void note_end(void *arg)
{
	((struct seen *)arg)->exits++;
}

/* Keeps the loop from looking until all have ended and all timers are due, as a stop of this process would. */
static void hold_up(void *arg)
{
	struct racer *racers = arg;
	struct race *race = racers[0].race;
	for (int i = 0; i < MANY; i++)
		world->timer_start(world->ctx, 1, is_late, &racers[i]);
	for (int i = 0; i < MANY; i++)
		world->proc_write(world->ctx, race->seen[i].proc, STR(""));
	for (int i = 0; i < MANY; i++) {
		siginfo_t info;
		assert_int_equal(waitid(P_PID, (id_t)race->pids[i], &info, WEXITED | WNOWAIT), 0);
	}
	uint64_t from = now_ms();
	while (now_ms() - from < 3)
		;
}

static void who_has_ended_is_not_late(void **state)
{
	(void)state;
	const char *const argv[] = {"sh", "-c", "read go; echo out; echo err >&2", NULL};
	struct race race = {0};
	struct racer racers[MANY];
	for (int i = 0; i < MANY; i++) {
		struct world_spawn spec = spec_of(&race.seen[i], argv);
		racers[i] = (struct racer){&race, i};
		spec.input_open = true;
		race.pids[i] = start(&spec)->pid;
	}
	world->timer_start(world->ctx, 0, hold_up, racers);
	run();
	assert_int_equal(race.late, 0);
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(race.seen[i].exits, 1);
		assert_out(&race.seen[i], "out\n");
		clear(&race.seen[i]);
	}
}

static void next_step_comes_before_what_is_late(void **state)
{
	(void)state;
	struct race race = {0};
	struct racer late = {&race, 0};
	world->timer_start(world->ctx, 1, is_late, &late);
	uint64_t from = now_ms();
	while (now_ms() - from < 3)
		;
	world->timer_start(world->ctx, 0, note_end, &race.seen[0]);
	run();
	assert_int_equal(race.late, 0);
}

/* SIGKILL is sent however late this process comes to it, and only then it is waited for. */
static void who_was_stopped_while_ending_a_child_ends_it(void **state)
{
	(void)state;
	struct seen seen = {0};
	start_sh(&seen, "trap '' TERM; echo ready; while :; do sleep 0.05; done");
	run_until_output(&seen);
	int32_t pid = seen.proc->pid;
	world->proc_stop(world->ctx, seen.proc, 1);
	/* As if half a minute had gone since. */
	seen.proc->kill_us = loop_now_us() - 30000000;
	run();
	assert_int_equal(seen.exits, 1);
	assert_int_equal(seen.exit.signal, SIGKILL);
	assert_int_equal(kill(pid, 0), -1);
	clear(&seen);
}

int main(void)
{
	name_marker();
	const struct CMUnitTest tests[] = {
		CASE(who_has_ended_is_not_late),
		CASE(next_step_comes_before_what_is_late),
		CASE(who_was_stopped_while_ending_a_child_ends_it),
	};
	return cmocka_run_group_tests_name("loop_late", tests, NULL, NULL);
}
