/* Reads the command line, see options.h. */
#include "options.h"

#include <rtctcp/version.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: rtctcp-load MODE [OPTION]... BASE-URL\n"
    "Loads a WHIP/WHEP server that has TCP candidates, and measures what comes back.\n"
    "\n"
    "Modes:\n"
    "  fan-out    one publisher, --players players\n"
    "  many       --publishers publishers, --players players each\n"
    "  slow       fan-out, of which --slow players stop reading for --stall seconds\n"
    "  churn      sessions are opened and ended, one after another\n"
    "  idle       --sessions sessions without media, for --seconds\n"
    "\n"
    "Sessions:\n"
    "  --players N           players, of each publisher (10)\n"
    "  --publishers N        many: publishers (10)\n"
    "  --slow N              slow: players that stop reading (2)\n"
    "  --sessions N          idle: sessions (100); churn: sessions in all, 0: for --seconds (0)\n"
    "  --role publish|play   of the sessions of churn and idle (play: one publisher besides)\n"
    "  --per-second R        churn: sessions begun a second (as fast as --parallel lets them)\n"
    "  --parallel N          set-ups at once (32)\n"
    "  --timeout S           a set-up fails when it has taken so long (15)\n"
    "  --setup actpass|active  what the offers say of DTLS (actpass)\n"
    "  --rtcp S              each session sends RTCP so often (1; churn and idle: 5)\n"
    "\n"
    "Stream:\n"
    "  --codec h264|vp8      (h264)\n"
    "  --packets N           packets a frame, sent in one burst (10)\n"
    "  --rate R              frames a second (25)\n"
    "  --size N              octets an RTP packet, its header among them (1000)\n"
    "  --gop N               frames from one keyframe to the next (250)\n"
    "\n"
    "Times, in seconds:\n"
    "  --seconds S           what is measured; slow: before the stall (10)\n"
    "  --warmup S            full load before that (1)\n"
    "  --stall S             slow: so long nothing is read (10)\n"
    "  --recover S           slow: measured after it (10)\n"
    "\n"
    "Server:\n"
    "  --pid PID             read its CPU time, memory and context switches from /proc\n"
    "  --whip-path PATH      %s is the stream's name (/whip/%s)\n"
    "  --whep-path PATH      (/whep/%s)\n"
    "  --stream NAME         streams are NAME-0, NAME-1, ... (load)\n"
    "  --token TOKEN         sent as Authorization: Bearer\n"
    "\n"
    "Itself:\n"
    "  --workers N           threads with sessions (1)\n"
    "  --cpus LIST           run on these CPUs only: 0-2,5\n"
    "  --json                one JSON object instead of the table\n"
    "  --quiet               no progress on standard error\n"
    "  --loss-max PERCENT    more loss than that is a failure (0)\n"
    "  --log-level LEVEL     error, warn, info or debug (error)\n"
    "  --version             print the version\n"
    "  --help                print this\n"
    "\n"
    "Exit status: 0 all well; 1 something did not connect, was lost, or ended early; 2 wrong\n"
    "arguments. SIGINT ends the sessions and the run, and what was measured is told.\n";

typedef enum Option {
  OPTION_PLAYERS = 256,
  OPTION_PUBLISHERS,
  OPTION_SLOW,
  OPTION_SESSIONS,
  OPTION_ROLE,
  OPTION_PER_SECOND,
  OPTION_PARALLEL,
  OPTION_TIMEOUT,
  OPTION_SETUP,
  OPTION_RTCP,
  OPTION_CODEC,
  OPTION_PACKETS,
  OPTION_RATE,
  OPTION_SIZE,
  OPTION_GOP,
  OPTION_SECONDS,
  OPTION_WARMUP,
  OPTION_STALL,
  OPTION_RECOVER,
  OPTION_PID,
  OPTION_WHIP_PATH,
  OPTION_WHEP_PATH,
  OPTION_STREAM,
  OPTION_TOKEN,
  OPTION_WORKERS,
  OPTION_CPUS,
  OPTION_JSON,
  OPTION_QUIET,
  OPTION_LOSS_MAX,
  OPTION_LOG_LEVEL,
  OPTION_VERSION,
  OPTION_HELP,
} Option;

static const struct option long_options[] = {
    {"players", required_argument, NULL, OPTION_PLAYERS},
    {"publishers", required_argument, NULL, OPTION_PUBLISHERS},
    {"slow", required_argument, NULL, OPTION_SLOW},
    {"sessions", required_argument, NULL, OPTION_SESSIONS},
    {"role", required_argument, NULL, OPTION_ROLE},
    {"per-second", required_argument, NULL, OPTION_PER_SECOND},
    {"parallel", required_argument, NULL, OPTION_PARALLEL},
    {"timeout", required_argument, NULL, OPTION_TIMEOUT},
    {"setup", required_argument, NULL, OPTION_SETUP},
    {"rtcp", required_argument, NULL, OPTION_RTCP},
    {"codec", required_argument, NULL, OPTION_CODEC},
    {"packets", required_argument, NULL, OPTION_PACKETS},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"size", required_argument, NULL, OPTION_SIZE},
    {"gop", required_argument, NULL, OPTION_GOP},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"warmup", required_argument, NULL, OPTION_WARMUP},
    {"stall", required_argument, NULL, OPTION_STALL},
    {"recover", required_argument, NULL, OPTION_RECOVER},
    {"pid", required_argument, NULL, OPTION_PID},
    {"whip-path", required_argument, NULL, OPTION_WHIP_PATH},
    {"whep-path", required_argument, NULL, OPTION_WHEP_PATH},
    {"stream", required_argument, NULL, OPTION_STREAM},
    {"token", required_argument, NULL, OPTION_TOKEN},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"cpus", required_argument, NULL, OPTION_CPUS},
    {"json", no_argument, NULL, OPTION_JSON},
    {"quiet", no_argument, NULL, OPTION_QUIET},
    {"loss-max", required_argument, NULL, OPTION_LOSS_MAX},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool complain(const char *option, const char *argument, const char *what) {
  fprintf(stderr, "rtctcp-load: --%s '%s': %s\n", option, argument, what);
  return false;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static bool read_count(const char *text, unsigned long max, unsigned long *number) {
  size_t digits = strspn(text, "0123456789");
  *number = strtoul(text, NULL, 10);
  return digits > 0 && digits < 10 && !text[digits] && *number <= max;
}

static bool take_count(const char *option, const char *text, size_t min, size_t max,
                       size_t *count) {
  unsigned long number;
  char what[64];
  if (read_count(text, max, &number) && number >= min) {
    *count = number;
    return true;
  }
  snprintf(what, sizeof what, "is no number, %zu to %zu", min, max);
  return complain(option, text, what);
}

static bool take_number(const char *option, const char *text, double min, double max,
                        double *number) {
  char *end;
  char what[64];
  errno = 0;
  double value = strtod(text, &end);
  if (end != text && !*end && !errno && isfinite(value) && value >= min && value <= max) {
    *number = value;
    return true;
  }
  snprintf(what, sizeof what, "is no number, %g to %g", min, max);
  return complain(option, text, what);
}

static bool take_packets(const char *text, uint16_t *packets) {
  size_t count;
  if (!take_count("packets", text, 1, STREAM_PACKETS_MAX, &count))
    return false;
  *packets = (uint16_t)count;
  return true;
}

static bool take_gop(const char *text, uint32_t *gop) {
  size_t count;
  if (!take_count("gop", text, 1, 1000000, &count))
    return false;
  *gop = (uint32_t)count;
  return true;
}

static bool take_pid(const char *text, pid_t *pid) {
  size_t number;
  if (!take_count("pid", text, 1, 1 << 22, &number))
    return false;
  *pid = (pid_t)number;
  return true;
}

/* ---- Words ----------------------------------------------------------------------------------- */

/* Exactly one %s, and no other conversion: it becomes a format. */
static bool take_path(const char *option, const char *text, const char **path) {
  const char *mark = strchr(text, '%');
  if (*text != '/' || !mark || mark[1] != 's' || strchr(mark + 1, '%'))
    return complain(option, text, "is no path with one %s, as /whip/%s");
  *path = text;
  return true;
}

static bool take_stream(const char *text, const char **stream) {
  size_t len = strlen(text);
  for (const char *at = text; *at; at++)
    if (!isalnum((unsigned char)*at) && *at != '-' && *at != '_')
      return complain("stream", text, "has more than letters, digits, - and _");
  if (len == 0 || len > 40)
    return complain("stream", text, "is no name of 1 to 40 letters");
  *stream = text;
  return true;
}

/* One of two words. second  out: it is the second one */
static bool take_choice(const char *option, const char *text, const char *first_word,
                        const char *second_word, bool *second) {
  char what[64];
  *second = strcmp(text, second_word) == 0;
  if (*second || strcmp(text, first_word) == 0)
    return true;
  snprintf(what, sizeof what, "is neither %s nor %s", first_word, second_word);
  return complain(option, text, what);
}

bool options_parse_cpus(const char *text, cpu_set_t *cpus) {
  CPU_ZERO(cpus);
  for (;;) {
    char *end;
    if (!isdigit((unsigned char)*text))
      return false;
    unsigned long first = strtoul(text, &end, 10), last = first;
    if (*end == '-') {
      if (!isdigit((unsigned char)end[1]))
        return false;
      last = strtoul(end + 1, &end, 10);
    }
    if (last < first || last >= CPU_SETSIZE)
      return false;
    for (unsigned long cpu = first; cpu <= last; cpu++)
      CPU_SET(cpu, cpus);
    if (!*end)
      return true;
    if (*end != ',')
      return false;
    text = end + 1;
  }
}

const char *load_mode_name(LoadMode mode) {
  static const char *const names[] = {
#define LOAD_MODE_TEXT(name, text) [LOAD_MODE_##name] = text,
      LOAD_MODE_MAP(LOAD_MODE_TEXT)
#undef LOAD_MODE_TEXT
  };
  return names[mode];
}

static bool read_mode(const char *text, LoadMode *mode) {
#define LOAD_MODE_COMPARE(name, text_of)                                                           \
  if (strcmp(text, text_of) == 0) {                                                                \
    *mode = LOAD_MODE_##name;                                                                      \
    return true;                                                                                   \
  }
  LOAD_MODE_MAP(LOAD_MODE_COMPARE)
#undef LOAD_MODE_COMPARE
  return false;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void set_defaults(Options *options) {
  *options = (Options){
      .whip_path = "/whip/%s",
      .whep_path = "/whep/%s",
      .stream = "load",
      .publishers = 10,
      .players = 10,
      .slow = 2,
      .sessions = SIZE_MAX,
      .role = LOAD_ROLE_PLAY,
      .codec = STREAM_CODEC_H264,
      .setup = RTC_SETUP_ACTPASS,
      .packets = 10,
      .rate = 25,
      .size = 1000,
      .gop = 250,
      .seconds = 10,
      .warmup = 1,
      .stall = 10,
      .recover = 10,
      .rtcp_interval = -1,
      .timeout = 15,
      .workers = 1,
      .parallel = 32,
      .log_level = RTC_LOG_LEVEL_ERROR,
  };
}

/* false: the argument is wrong, and that was said. */
static bool take_option(Options *options, Option option, const char *argument) {
  bool second = false;
  switch (option) {
  case OPTION_PLAYERS:
    return take_count("players", argument, 1, OPTIONS_SESSIONS_MAX, &options->players);
  case OPTION_PUBLISHERS:
    return take_count("publishers", argument, 1, OPTIONS_SESSIONS_MAX, &options->publishers);
  case OPTION_SLOW:
    return take_count("slow", argument, 1, 1000, &options->slow);
  case OPTION_SESSIONS:
    return take_count("sessions", argument, 0, 10000000, &options->sessions);
  case OPTION_ROLE:
    if (!take_choice("role", argument, "publish", "play", &second))
      return false;
    options->role = second ? LOAD_ROLE_PLAY : LOAD_ROLE_PUBLISH;
    return true;
  case OPTION_PER_SECOND:
    return take_number("per-second", argument, 0.001, 100000, &options->per_second);
  case OPTION_PARALLEL:
    return take_count("parallel", argument, 1, 4096, &options->parallel);
  case OPTION_TIMEOUT:
    return take_number("timeout", argument, 0.1, 3600, &options->timeout);
  case OPTION_SETUP:
    if (!take_choice("setup", argument, "actpass", "active", &second))
      return false;
    options->setup = second ? RTC_SETUP_ACTIVE : RTC_SETUP_ACTPASS;
    return true;
  case OPTION_RTCP:
    return take_number("rtcp", argument, 0.1, 3600, &options->rtcp_interval);
  case OPTION_CODEC:
    if (!take_choice("codec", argument, "h264", "vp8", &second))
      return false;
    options->codec = second ? STREAM_CODEC_VP8 : STREAM_CODEC_H264;
    return true;
  case OPTION_PACKETS:
    return take_packets(argument, &options->packets);
  case OPTION_RATE:
    return take_number("rate", argument, 0.01, 10000, &options->rate);
  case OPTION_SIZE:
    return take_count("size", argument, STREAM_SIZE_MIN, STREAM_SIZE_MAX, &options->size);
  case OPTION_GOP:
    return take_gop(argument, &options->gop);
  case OPTION_SECONDS:
    return take_number("seconds", argument, 0.1, 86400, &options->seconds);
  case OPTION_WARMUP:
    return take_number("warmup", argument, 0, 86400, &options->warmup);
  case OPTION_STALL:
    return take_number("stall", argument, 0.1, 86400, &options->stall);
  case OPTION_RECOVER:
    return take_number("recover", argument, 0.1, 86400, &options->recover);
  case OPTION_PID:
    return take_pid(argument, &options->pid);
  case OPTION_WHIP_PATH:
    return take_path("whip-path", argument, &options->whip_path);
  case OPTION_WHEP_PATH:
    return take_path("whep-path", argument, &options->whep_path);
  case OPTION_STREAM:
    return take_stream(argument, &options->stream);
  case OPTION_TOKEN:
    options->token = argument;
    return true;
  case OPTION_WORKERS:
    return take_count("workers", argument, 1, OPTIONS_WORKERS_MAX, &options->workers);
  case OPTION_CPUS:
    options->pinned = true;
    return options_parse_cpus(argument, &options->cpus) ||
           complain("cpus", argument, "is no list of CPUs, as 0-2,5");
  case OPTION_JSON:
    return options->json = true;
  case OPTION_QUIET:
    return options->quiet = true;
  case OPTION_LOSS_MAX:
    return take_number("loss-max", argument, 0, 100, &options->loss_max);
  case OPTION_LOG_LEVEL:
    return rtc_log_level_parse(&options->log_level, argument) ||
           complain("log-level", argument, "is none of error, warn, info, debug");
  case OPTION_VERSION:
  case OPTION_HELP:
    break;
  }
  return false;
}

/* What the mode makes of it: the sessions that it has, and the defaults of its own. */
static bool settle(Options *options) {
  bool media = options->mode != LOAD_MODE_CHURN && options->mode != LOAD_MODE_IDLE;
  if (options->rtcp_interval < 0)
    options->rtcp_interval = media ? 1 : 5;
  if (options->mode == LOAD_MODE_FAN_OUT || options->mode == LOAD_MODE_SLOW)
    options->publishers = 1;
  if (options->mode != LOAD_MODE_SLOW)
    options->slow = 0;
  if (media) {
    options->sessions = 0;
    if (options->publishers * options->players > OPTIONS_SESSIONS_MAX)
      return complain("players", "", "publishers times players are too many sessions");
    return options->slow < options->players ||
           complain("slow", "", "there must be more --players than that");
  }
  options->players = 0;
  options->publishers = options->role == LOAD_ROLE_PLAY ? 1 : 0;
  if (options->sessions == SIZE_MAX)
    options->sessions = options->mode == LOAD_MODE_IDLE ? 100 : 0;
  if (options->mode == LOAD_MODE_CHURN)
    return true;
  return (options->sessions > 0 && options->sessions <= OPTIONS_SESSIONS_MAX) ||
         complain("sessions", "", "idle takes 1 to 100000 of them");
}

static OptionsResult wrong(void) {
  fprintf(stderr, "Try 'rtctcp-load --help'.\n");
  return OPTIONS_WRONG;
}

/* The two arguments that are no options. */
static bool take_words(Options *options, int argc, char **argv) {
  if (argc - optind != 2) {
    fprintf(stderr, "rtctcp-load: a mode and a URL are wanted, and nothing else\n");
    return false;
  }
  if (!read_mode(argv[optind], &options->mode)) {
    fprintf(stderr, "rtctcp-load: '%s' is no mode: fan-out, many, slow, churn or idle\n",
            argv[optind]);
    return false;
  }
  options->url = argv[optind + 1];
  if (strncmp(options->url, "http://", 7) != 0 && strncmp(options->url, "https://", 8) != 0) {
    fprintf(stderr, "rtctcp-load: '%s' is no http:// or https:// URL\n", options->url);
    return false;
  }
  return true;
}

OptionsResult options_parse(Options *options, int argc, char **argv) {
  int option;
  set_defaults(options);
  optind = 0; /* glibc: begin anew, whatever was parsed before */
  while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (option == OPTION_HELP) {
      fputs(usage, stdout);
      return OPTIONS_DONE;
    }
    if (option == OPTION_VERSION) {
      printf("rtctcp-load %s\n", rtc_version());
      return OPTIONS_DONE;
    }
    if (option == '?' || !take_option(options, (Option)option, optarg))
      return wrong(); /* getopt_long has told what '?' is about */
  }
  if (!take_words(options, argc, argv) || !settle(options))
    return wrong();
  return OPTIONS_RUN;
}
