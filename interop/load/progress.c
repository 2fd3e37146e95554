/* Tells how far it is, see progress.h. */
#include "progress.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>

void progress_tell(Run *run) {
  uint64_t now_ns = clock_ns();
  if (run->options->quiet || now_ns - run->told_ns < NS_PER_S)
    return;
  BoardCounts publishers = board_counts(&run->publishers);
  BoardCounts sessions = board_counts(&run->sessions);
  uint64_t delivered = crew_delivered(&run->crew);
  double elapsed_s = (double)(now_ns - run->told_ns) / (double)NS_PER_S;
  double a_second = run->told_ns ? (double)(delivered - run->told_delivered) / elapsed_s : 0;
  fprintf(stderr,
          "%6.1f s  publishers %zu, sessions %zu connected, %zu failed, %zu lost, %zu ended;"
          " %.0f packets/s\n",
          (double)(now_ns - run->began_ns) / (double)NS_PER_S, publishers.connected,
          sessions.connected, publishers.failed + sessions.failed, publishers.lost + sessions.lost,
          sessions.ended, a_second);
  run->told_ns = now_ns;
  run->told_delivered = delivered;
}
