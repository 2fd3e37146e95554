/* What the server's process holds at a moment, and whether it grew over the run. */
#ifndef RTC_SOAK_FIGURES_H
#define RTC_SOAK_FIGURES_H

#include "soak/plan.h"

typedef struct SoakFigures {
  RtcServerStats server; /* of all workers */
  uint64_t coroutines, stacks_pooled;
  uint64_t stack_high_water; /* [octets] */
  uint64_t sources, consumers;
  uint64_t sources_total, consumers_total;
  uint64_t ends[SOAK_ENDING_COUNT][RTC_CLOSE_COUNT]; /* Connections that were CLOSED */
  uint64_t late;         /* of them, not as planned, by a reason that a late packet may have */
  uint64_t wrong;        /* of them, not as planned, by any other */
  uint64_t after_closed; /* callbacks that came after CLOSED */
  uint64_t descriptors;
  uint64_t rss; /* [octets] */
  uint64_t cpu_us;
  uint64_t heap; /* that malloc has given out, of all arenas [octets] */
} SoakFigures;

/* Adds what is the process's: descriptors, memory, CPU time. */
void soak_figures_of_process(SoakFigures *figures);
/* Of this process, so far. */
uint64_t soak_cpu_us(void);
void soak_figures_add_stats(RtcServerStats *sum, const RtcServerStats *stats);

/* Closed, and not yet freed: Connections and TCP conns. */
uint64_t soak_connections_in_disposal(const SoakFigures *figures);
uint64_t soak_tcp_conns_in_disposal(const SoakFigures *figures);

/* Nothing of any session is left; idle: the figures of before the first one. */
bool soak_figures_idle(const SoakFigures *figures, const SoakFigures *idle);

/* -- Growth -- */

typedef struct SoakSample {
  double sessions; /* CLOSED until then */
  double octets;
} SoakSample;

typedef struct SoakSamples {
  SoakSample *items; /* owned */
  size_t count, cap;
} SoakSamples;

bool soak_samples_add(SoakSamples *samples, double sessions, double octets);
void soak_samples_finish(SoakSamples *samples);

/* Of at least one sample. [octets] */
double soak_samples_least(const SoakSamples *samples);
double soak_samples_most(const SoakSamples *samples);

/* The median of the slopes between all pairs (Theil and Sen): a third of the samples may be far
 * off, as when many sessions happened to live at once, and it still tells the trend.
 * false: too few samples, or out of memory. slope: [octets a session] */
bool soak_samples_slope(const SoakSamples *samples, double *slope);

#endif
