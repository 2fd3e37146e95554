/* The peers' side of the soak: threads that each live one session after another, blocking, while
 * sessions that they have left behind wait for their end. */
#ifndef RTC_SOAK_CLIENT_H
#define RTC_SOAK_CLIENT_H

#include "soak/plan.h"

#include <stdatomic.h>

/* Shared by all threads; what is not atomic is immutable while they run. */
typedef struct SoakClients {
  uint64_t seed;
  uint32_t session_timeout_ms;
  uint32_t first_frame_timeout_ms;
  _Atomic uint64_t next;  /* the next ticket */
  _Atomic uint64_t limit; /* threads wait while next has come to it */
  _Atomic uint64_t done;  /* sessions that the peers have done with */
  _Atomic bool stopped;   /* threads end */
  _Atomic uint64_t endings[SOAK_ENDING_COUNT];
  _Atomic uint64_t events[SOAK_EVENT_COUNT];
  _Atomic uint64_t packets_echoed; /* that came back */
  _Atomic uint64_t packets_played; /* that came from sources */
  _Atomic uint64_t surprises;      /* a peer saw what it should not have seen */
} SoakClients;

typedef struct SoakCrew SoakCrew;

/* Starts a thread for each channel. NULL: it can't be */
SoakCrew *soak_crew_start(SoakClients *clients, const int *channels, size_t count);
/* Sets stopped, joins the threads, frees. */
void soak_crew_stop(SoakCrew *crew);

/* Tells what should not be, and counts it. */
void soak_surprise(SoakClients *clients, uint64_t ticket, const char *step, int result);

#endif
