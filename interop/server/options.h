/* The command line. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <rtctcp/log.h>
#include <rtctcp/server.h>

#define OPTIONS_ADDRESSES_MAX 16
#define OPTIONS_WORKERS_MAX   64

typedef struct Options {
  const char *listen[OPTIONS_ADDRESSES_MAX]; /* borrowed: of argv */
  size_t listen_count;
  const char *candidates[OPTIONS_ADDRESSES_MAX]; /* borrowed: of argv */
  size_t candidate_count;
  /* borrowed: of argv; of the listener of the same index, NULL: the system's */
  const char *congestion_control[OPTIONS_ADDRESSES_MAX];
  uint32_t session_timeout_ms;
  uint32_t reconnect_grace_ms;
  uint32_t first_frame_timeout_ms;
  uint32_t drain_ms; /* 0: a signal ends everything at once */
  size_t sessions_max;
  size_t worker_count; /* 1 to OPTIONS_WORKERS_MAX */
  bool debug;          /* GET /debug/sessions is answered */
  RtcLogLevel log_level;
} Options;

typedef enum OptionsResult {
  OPTIONS_RUN,
  OPTIONS_DONE,  /* --help or --version: all is said */
  OPTIONS_WRONG, /* what is wrong was told on standard error */
} OptionsResult;

/* Every default, and over them the arguments. options is written in any case. */
OptionsResult options_parse(Options *options, int argc, char **argv);

#endif
