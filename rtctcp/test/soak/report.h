/* What the soak prints, and its verdict. */
#ifndef RTC_SOAK_REPORT_H
#define RTC_SOAK_REPORT_H

#include "soak/client.h"
#include "soak/figures.h"

typedef struct SoakRun {
  uint64_t sessions;    /* that were asked for */
  double seconds;       /* in which sessions were opened */
  SoakFigures idle;     /* before the first one */
  SoakFigures warm;     /* after the first tenth, idle again */
  SoakFigures last;     /* after the last one, idle or not */
  SoakSamples rss;      /* under load, from the first tenth on */
  SoakSamples idle_rss; /* after each round, and malloc's free pages were given back */
  bool warm_is_idle, last_is_idle;
  double stall;     /* the longest time that a process got no CPU, as far as it was seen [s] */
  double stall_max; /* a longer one may let a timeout of a session pass [s] */
} SoakRun;

void soak_report_progress(double seconds, uint64_t since, double since_seconds,
                          const SoakFigures *figures);
void soak_report_tables(const SoakRun *run, const SoakClients *clients);
/* Prints each check and whether it holds. false: one does not */
bool soak_report_verdict(const SoakRun *run, const SoakClients *clients);

#endif
