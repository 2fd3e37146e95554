/* The command line. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "stream.h"

#include <rtctcp/log.h>
#include <rtctcp/sdp.h>

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define OPTIONS_WORKERS_MAX  64
#define OPTIONS_SESSIONS_MAX 100000

#define LOAD_MODE_MAP(X)                                                                           \
  X(FAN_OUT, "fan-out") /* one publisher, many players */                                          \
  X(MANY, "many")       /* several publishers, each with players of its own */                     \
  X(SLOW, "slow")       /* a fan-out of which some stop reading for a time */                      \
  X(CHURN, "churn")     /* sessions come and go */                                                 \
  X(IDLE, "idle")       /* sessions without media */

typedef enum LoadMode {
#define LOAD_MODE_ENUM(name, text) LOAD_MODE_##name,
  LOAD_MODE_MAP(LOAD_MODE_ENUM)
#undef LOAD_MODE_ENUM
} LoadMode;

typedef enum LoadRole {
  LOAD_ROLE_PUBLISH,
  LOAD_ROLE_PLAY,
} LoadRole;

typedef struct Options {
  LoadMode mode;
  const char *url;                   /* borrowed: of argv */
  const char *whip_path, *whep_path; /* borrowed; with one %s: the stream's name */
  const char *stream;                /* borrowed; the streams are PREFIX-0, PREFIX-1, ... */
  const char *token;                 /* borrowed; NULL: none */

  size_t publishers;
  size_t players;  /* of each publisher */
  size_t slow;     /* of the players */
  size_t sessions; /* churn: in all, 0: until the time is up; idle */
  LoadRole role;   /* of these */

  StreamCodec codec;
  RtcSetup setup;
  uint16_t packets; /* a frame */
  double rate;      /* frames a second */
  size_t size;      /* of an RTP packet [octets] */
  uint32_t gop;     /* frames from keyframe to keyframe */

  double seconds, warmup, stall, recover; /* [s] */
  double per_second;                      /* churn: sessions begun; 0: as fast as they go */
  double rtcp_interval;                   /* of each session [s] */
  double timeout;                         /* of a set-up [s] */
  double loss_max;                        /* [%] */

  size_t workers, parallel;
  bool pinned;
  cpu_set_t cpus;
  pid_t pid; /* of the server; 0: not looked at */
  bool json, quiet;
  RtcLogLevel log_level;
} Options;

typedef enum OptionsResult {
  OPTIONS_RUN,
  OPTIONS_DONE,  /* --help or --version: all is said */
  OPTIONS_WRONG, /* what is wrong was told on standard error */
} OptionsResult;

/* Every default, and over them the arguments. options is written in any case. */
OptionsResult options_parse(Options *options, int argc, char **argv);

const char *load_mode_name(LoadMode mode);

/* "0-2,5"; false: malformed, or no CPU of this machine's kind. */
bool options_parse_cpus(const char *text, cpu_set_t *cpus);

#endif
