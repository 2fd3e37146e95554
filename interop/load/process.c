/* Reads /proc, see process.h. */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_S UINT64_C(1000000000)

/* ---- Text ------------------------------------------------------------------------------------ */

bool process_parse_stat(const char *text, uint64_t *ticks) {
  uint64_t user, system;
  /* The second field is the program's name in brackets, with whatever it likes in it. */
  const char *after_name = strrchr(text, ')');
  if (!after_name ||
      sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
             &user, &system) != 2)
    return false;
  *ticks = user + system;
  return true;
}

bool process_parse_field(const char *text, const char *name, uint64_t *value) {
  size_t name_len = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, name, name_len) == 0 && line[name_len] == ':')
      return sscanf(line + name_len + 1, " %" SCNu64, value) == 1;
  }
  return false;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* Reads what fits, as a string. */
static bool read_text(int folder, const char *path, char *text, size_t cap) {
  size_t len = 0;
  ssize_t got = 0;
  int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return false;
  while (len + 1 < cap && (got = read(fd, text + len, cap - 1 - len)) > 0)
    len += (size_t)got;
  close(fd);
  text[len] = '\0';
  return len > 0 && got >= 0;
}

/* Of one thread, named THREAD below the folder. A thread that has just ended adds nothing. */
static void add_thread(ProcessFigures *figures, int folder, const char *thread) {
  char path[300], text[4096];
  uint64_t value;
  snprintf(path, sizeof path, "%s/schedstat", thread);
  if (read_text(folder, path, text, sizeof text) && sscanf(text, "%" SCNu64, &value) == 1)
    figures->cpu_ns += value;
  snprintf(path, sizeof path, "%s/status", thread);
  if (!read_text(folder, path, text, sizeof text))
    return;
  figures->threads++;
  if (process_parse_field(text, "voluntary_ctxt_switches", &value))
    figures->voluntary_switches += value;
  if (process_parse_field(text, "nonvoluntary_ctxt_switches", &value))
    figures->involuntary_switches += value;
}

static bool add_threads(ProcessFigures *figures, pid_t pid) {
  char path[64];
  const struct dirent *entry;
  snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
  DIR *tasks = opendir(path);
  if (!tasks)
    return false;
  while ((entry = readdir(tasks)))
    if (entry->d_name[0] != '.')
      add_thread(figures, dirfd(tasks), entry->d_name);
  closedir(tasks);
  return figures->threads > 0;
}

static uint64_t rolled_up_rss(pid_t pid) {
  char path[64], text[4096];
  uint64_t kib;
  snprintf(path, sizeof path, "/proc/%ld/smaps_rollup", (long)pid);
  if (!read_text(AT_FDCWD, path, text, sizeof text) || !process_parse_field(text, "Rss", &kib))
    return 0;
  return kib * 1024;
}

uint64_t process_rss(pid_t pid) {
  char path[64], text[256];
  uint64_t pages;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
  if (!read_text(AT_FDCWD, path, text, sizeof text) || sscanf(text, "%*u %" SCNu64, &pages) != 1)
    return 0;
  return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The scheduler's sum is exact to the nanosecond, but without the threads that have ended; the
 * process's own has these, in ticks of 10 ms. */
static void take_larger_cpu(ProcessFigures *figures, pid_t pid) {
  char path[64], text[1024];
  uint64_t ticks;
  uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
  snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
  if (read_text(AT_FDCWD, path, text, sizeof text) && process_parse_stat(text, &ticks) &&
      ticks * ns_per_tick > figures->cpu_ns)
    figures->cpu_ns = ticks * ns_per_tick;
}

bool process_read(ProcessFigures *figures, pid_t pid) {
  ProcessFigures read = {0};
  if (!add_threads(&read, pid))
    return false;
  take_larger_cpu(&read, pid);
  read.rss = rolled_up_rss(pid);
  if (read.rss == 0)
    read.rss = process_rss(pid);
  *figures = read;
  return true;
}
