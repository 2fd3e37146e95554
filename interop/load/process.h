/* What a process has used and holds, read from /proc: CPU time and context switches over all of its
 * threads, and resident memory. Any thread. */
#ifndef LOAD_PROCESS_H
#define LOAD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct ProcessFigures {
  uint64_t cpu_ns;
  uint64_t voluntary_switches, involuntary_switches;
  uint64_t rss; /* [octets] */
  unsigned threads;
} ProcessFigures;

/* false: there is no such process, or it is not ours to look at. */
bool process_read(ProcessFigures *figures, pid_t pid);

/* The resident memory alone, cheaply [octets]; 0: not known. */
uint64_t process_rss(pid_t pid);

/* -- What the files say; apart for the tests -- */

/* /proc/PID/stat: utime and stime [clock ticks]. */
bool process_parse_stat(const char *text, uint64_t *ticks);
/* A line "name:  123 ..." of /proc/PID/status or smaps_rollup. */
bool process_parse_field(const char *text, const char *name, uint64_t *value);

#endif
