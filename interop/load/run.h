/* What the modes have in common: sessions are opened and awaited, phases are measured, all is
 * ended; and meanwhile the progress is told, and a signal ends it. The main thread's. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "process.h"
#include "result.h"

/* What the processes had used and held at a moment. */
typedef struct RunMoment {
  uint64_t at_ns;
  bool server_known;
  ProcessFigures server, generator;
} RunMoment;

typedef struct Run {
  const Options *options; /* borrowed */
  Crew crew;
  Board publishers, sessions;
  Channel *channels; /* owned: one for each publisher, or a session's of its own */
  size_t channel_count;
  Result result;
  /* The phase under way: */
  Phase phase;
  RunMoment phase_began;
  uint64_t rss_max; /* of the server */
  /* The last line of progress: */
  uint64_t told_ns, told_delivered, began_ns;
} Run;

/* false: it can't begin, and that was told. */
bool run_start(Run *run, const Options *options);
/* Ends all sessions, and then the threads. run->result is complete. */
void run_finish(Run *run);

/* A signal has come, for once: every wait ends at once. Async-signal-safe. */
void run_interrupt(void);
bool run_interrupted(void);

/* Each is false when it did not come so far: an interruption, a time-out, a failure. */
bool run_open_publishers(Run *run);
/* As many sessions, at most --parallel in set-up at once; returns when none is. plan.channel and
 * plan.board are set here. */
bool run_open_sessions(Run *run, const SessionPlan *plan, size_t count);
/* Likewise all of --players of all publishers; returns when each has had its first keyframe. */
bool run_open_players(Run *run, const SessionPlan *plan);
/* The server's memory before the sessions that are to be weighed, and when they are connected. */
void run_take_baseline(Run *run);
void run_take_connected(Run *run);
bool run_pause(Run *run, double seconds);
/* Waits for a change of the sessions' board, or until_ns; tells the progress. */
bool run_wait(Run *run, const BoardCounts *seen, uint64_t until_ns);

/* From here on until run_end_phase is measured as this phase. name: a constant */
void run_begin_phase(Run *run, Phase phase, const char *name);
void run_end_phase(Run *run);
/* Waits for what is under way, and takes what was counted in all phases. */
void run_take_counts(Run *run);

void run_take_moment(const Run *run, RunMoment *moment);
/* What was used between two moments. */
void run_use(const RunMoment *from, const RunMoment *to, ProcessUse *server, ProcessUse *generator);

/* -- The modes -- */
void mode_media(Run *run); /* fan-out, many */
void mode_slow(Run *run);
void mode_churn(Run *run);
void mode_idle(Run *run);

#endif
