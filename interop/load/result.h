/* What a run has measured, as it is reported. Durations in nanoseconds, memory in octets. */
#ifndef LOAD_RESULT_H
#define LOAD_RESULT_H

#include "board.h"
#include "crew.h"

#define RESULT_PHASES_MAX 3

typedef struct Summary {
  uint64_t count, min, p50, p99, p999, max;
  double mean;
} Summary; /* of a histogram */

/* What a process has used from one moment to another. */
typedef struct ProcessUse {
  bool known;
  uint64_t cpu_ns;
  uint64_t voluntary_switches, involuntary_switches;
  uint64_t rss_begin, rss_end, rss_max;
} ProcessUse;

typedef struct PhaseResult {
  const char *name; /* a constant */
  uint64_t elapsed_ns;
  uint64_t offered; /* packets, by all publishers */
  PhaseCount count;
  Summary latency;
  ProcessUse server, generator;
} PhaseResult;

typedef struct Result {
  const Options *options; /* borrowed */
  bool interrupted;
  bool ok;

  BoardCounts publishers, sessions;
  size_t wanted; /* sessions of both kinds */
  Summary setup;
  uint64_t setup_elapsed_ns; /* of sessions: publishers are opened before */
  uint64_t setup_count;      /* that were connected in it */
  ProcessUse setup_server, setup_generator;

  bool memory_known;
  uint64_t rss_baseline, rss_connected, rss_end;
  uint64_t memory_sessions; /* between baseline and connected */

  PhaseResult phases[RESULT_PHASES_MAX];
  size_t phase_count;
  uint64_t not_sent, foreign;

  RecoveryMoment first_frame, picture; /* slow */

  BoardError errors[2 * BOARD_ERRORS_MAX];
  size_t error_count;
  uint64_t errors_left_out;
} Result;

Summary summary_of(const Histogram *histogram);

/* 0 when there is nothing to divide by. */
double result_ratio(double value, double by);

uint64_t phase_lost(const PhaseResult *phase);
/* CPU microseconds a delivered packet. */
double phase_cpu_us(const PhaseResult *phase, const ProcessUse *use);
/* Octets a session; negative when memory was given back. */
double result_octets_per_session(const Result *result);
/* The most that the server held during a stall beyond what it held before. */
double result_rss_growth(const Result *result);

/* Takes the boards' counts and errors. */
void result_take_boards(Result *result, Board *publishers, Board *sessions);
/* Is all as it should be? Sets ok. */
void result_judge(Result *result);

#endif
