/* Reads the command line, see options.h. */
#include "options.h"

#include <rtctcp/version.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LISTEN      "127.0.0.1:8080"
#define SECONDS_MAX         86400
#define CONGESTION_NAME_MAX 16 /* the kernel's TCP_CA_NAME_MAX, with its NUL */

static const char usage[] =
    "usage: rtctcp-server [OPTION]...\n"
    "WebRTC over one TCP port: WHIP to publish, WHEP to play, and a page that does both.\n"
    "\n"
    "  --listen ADDR:PORT         listen here; may be given again (" DEFAULT_LISTEN ")\n"
    "                             IPv6 in brackets: [::1]:8080; port 0: any free one\n"
    "  --candidate IP[:PORT]      tell the peers to connect here; may be given again\n"
    "                             (the addresses listened on)\n"
    "  --congestion NAME          TCP congestion control of the --listen before it, or without "
    "one\n"
    "                             of the first: cubic, bbr, ... (the system's)\n"
    "  --session-timeout S        end a session that was silent for so long (%g)\n"
    "  --reconnect-grace S        let a session wait so long for its next TCP conn (%g)\n"
    "  --first-frame-timeout S    close a socket that has not authenticated by then (%g)\n"
    "  --workers N                threads that serve sessions, 1 to 64 (%zu: one a CPU)\n"
    "  --sessions-max N           answer 503 to more sessions than that (%zu)\n"
    "  --drain S                  on SIGTERM let sessions go on for so long (0)\n"
    "  --debug                    answer GET /debug/sessions: who holds what\n"
    "  --log-level LEVEL          error, warn, info or debug (%s)\n"
    "  --version                  print the version\n"
    "  --help                     print this\n"
    "\n"
    "SIGTERM and SIGINT close all sessions and end the server; with --drain, the second one "
    "does.\n";

typedef enum Option {
  OPTION_LISTEN = 256,
  OPTION_CANDIDATE,
  OPTION_CONGESTION,
  OPTION_SESSION_TIMEOUT,
  OPTION_RECONNECT_GRACE,
  OPTION_FIRST_FRAME_TIMEOUT,
  OPTION_WORKERS,
  OPTION_SESSIONS_MAX,
  OPTION_DRAIN,
  OPTION_DEBUG,
  OPTION_LOG_LEVEL,
  OPTION_VERSION,
  OPTION_HELP,
} Option;

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"candidate", required_argument, NULL, OPTION_CANDIDATE},
    {"congestion", required_argument, NULL, OPTION_CONGESTION},
    {"session-timeout", required_argument, NULL, OPTION_SESSION_TIMEOUT},
    {"reconnect-grace", required_argument, NULL, OPTION_RECONNECT_GRACE},
    {"first-frame-timeout", required_argument, NULL, OPTION_FIRST_FRAME_TIMEOUT},
    {"workers", required_argument, NULL, OPTION_WORKERS},
    {"sessions-max", required_argument, NULL, OPTION_SESSIONS_MAX},
    {"drain", required_argument, NULL, OPTION_DRAIN},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static bool complain(const char *option, const char *argument, const char *what) {
  fprintf(stderr, "rtctcp-server: --%s '%s': %s\n", option, argument, what);
  return false;
}

/* ---- Addresses ------------------------------------------------------------------------------- */

typedef struct Address {
  bool wildcard;
  bool has_port;
  unsigned port;
} Address;

static bool read_port(const char *text, unsigned *port) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 5 || text[digits])
    return false;
  *port = (unsigned)strtoul(text, NULL, 10);
  return *port <= 65535;
}

static bool read_ip(const char *text, size_t len, bool ipv6, bool *wildcard) {
  char copy[INET6_ADDRSTRLEN];
  struct in6_addr six;
  struct in_addr four;
  if (len >= sizeof copy)
    return false;
  memcpy(copy, text, len);
  copy[len] = '\0';
  if (inet_pton(ipv6 ? AF_INET6 : AF_INET, copy, ipv6 ? (void *)&six : (void *)&four) != 1)
    return false;
  *wildcard = ipv6 ? IN6_IS_ADDR_UNSPECIFIED(&six) : four.s_addr == htonl(INADDR_ANY);
  return true;
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80" */
static bool read_address(const char *text, Address *address) {
  const char *end;
  const char *ip = text;
  bool ipv6 = *text == '[';
  *address = (Address){0};
  if (ipv6) {
    ip = text + 1;
    end = strchr(ip, ']');
    if (!end || !read_ip(ip, (size_t)(end - ip), true, &address->wildcard))
      return false;
    end++;
  } else {
    end = text + strcspn(text, ":");
    if (!read_ip(ip, (size_t)(end - ip), false, &address->wildcard))
      return false;
  }
  if (!*end)
    return true;
  address->has_port = true;
  return *end == ':' && read_port(end + 1, &address->port);
}

static bool take_listen(Options *options, const char *text) {
  Address address;
  if (!read_address(text, &address) || !address.has_port)
    return complain("listen", text, "is no ADDR:PORT, as 127.0.0.1:8080 or [::1]:8080");
  if (options->listen_count == OPTIONS_ADDRESSES_MAX)
    return complain("listen", text, "is one too many");
  options->listen[options->listen_count++] = text;
  return true;
}

static bool take_congestion(Options *options, const char *text) {
  size_t at = options->listen_count ? options->listen_count - 1 : 0;
  size_t len = strlen(text);
  if (len == 0 || len >= CONGESTION_NAME_MAX)
    return complain("congestion", text, "is no name of a congestion control");
  if (options->congestion_control[at])
    return complain("congestion", text, "is the second one of its --listen");
  options->congestion_control[at] = text;
  return true;
}

static bool take_candidate(Options *options, const char *text) {
  Address address;
  if (!read_address(text, &address) || (address.has_port && address.port == 0))
    return complain("candidate", text, "is no IP[:PORT], as 192.0.2.1 or [2001:db8::1]:443");
  if (address.wildcard)
    return complain("candidate", text, "is no address that a peer can connect to");
  if (options->candidate_count == OPTIONS_ADDRESSES_MAX)
    return complain("candidate", text, "is one too many");
  options->candidates[options->candidate_count++] = text;
  return true;
}

/* Without a candidate the peers are told the addresses listened on, so one must be a real one. */
static bool candidates_known(const Options *options) {
  Address address;
  if (options->candidate_count > 0)
    return true;
  for (size_t i = 0; i < options->listen_count; i++)
    if (read_address(options->listen[i], &address) && !address.wildcard)
      return true;
  return complain("listen", options->listen[0],
                  "names no address that a peer can connect to: add --candidate IP");
}

/* ---- The rest -------------------------------------------------------------------------------- */

static bool take_seconds(const char *option, const char *text, bool zero_allowed, uint32_t *ms) {
  char *end;
  errno = 0;
  double seconds = strtod(text, &end);
  if (end == text || *end || errno || !isfinite(seconds) || seconds < 0 || seconds > SECONDS_MAX)
    return complain(option, text, "is no number of seconds, 0 to 86400");
  double rounded = ceil(seconds * 1000);
  if (rounded < 1 && !zero_allowed)
    return complain(option, text, "must be more than 0");
  *ms = (uint32_t)rounded;
  return true;
}

static bool take_workers(Options *options, const char *text) {
  size_t digits = strspn(text, "0123456789");
  unsigned long number = strtoul(text, NULL, 10);
  if (digits == 0 || digits > 2 || text[digits] || number == 0 || number > OPTIONS_WORKERS_MAX)
    return complain("workers", text, "is no number, 1 to 64");
  options->worker_count = number;
  return true;
}

/* As many as this process may use, which may be fewer than the machine has. */
static size_t count_cpus(void) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return 1; /* more CPUs than the set has room for, or a sandbox */
  size_t count = (size_t)CPU_COUNT(&allowed);
  return count < OPTIONS_WORKERS_MAX ? count : OPTIONS_WORKERS_MAX;
}

static bool take_sessions_max(Options *options, const char *text) {
  size_t digits = strspn(text, "0123456789");
  unsigned long number = strtoul(text, NULL, 10);
  if (digits == 0 || digits > 7 || text[digits] || number == 0)
    return complain("sessions-max", text, "is no number, 1 to 9999999");
  options->sessions_max = number;
  return true;
}

static bool take_log_level(Options *options, const char *text) {
  if (rtc_log_level_parse(&options->log_level, text))
    return true;
  return complain("log-level", text, "is none of error, warn, info, debug");
}

static void set_defaults(Options *options) {
  RtcServerConfig config;
  rtc_server_config_init(&config);
  *options = (Options){
      .session_timeout_ms = config.session_timeout_ms,
      .reconnect_grace_ms = config.reconnect_grace_ms,
      .first_frame_timeout_ms = config.first_frame_timeout_ms,
      .sessions_max = config.connections_max,
      .worker_count = count_cpus(),
      .log_level = RTC_LOG_LEVEL_INFO,
  };
}

static void print_usage(void) {
  Options defaults;
  set_defaults(&defaults);
  printf(usage, defaults.session_timeout_ms / 1000.0, defaults.reconnect_grace_ms / 1000.0,
         defaults.first_frame_timeout_ms / 1000.0, defaults.worker_count, defaults.sessions_max,
         rtc_log_level_name(defaults.log_level));
}

/* false: the argument is wrong, and that was said. */
static bool take_option(Options *options, Option option, const char *argument) {
  switch (option) {
  case OPTION_LISTEN:
    return take_listen(options, argument);
  case OPTION_CANDIDATE:
    return take_candidate(options, argument);
  case OPTION_CONGESTION:
    return take_congestion(options, argument);
  case OPTION_SESSION_TIMEOUT:
    return take_seconds("session-timeout", argument, false, &options->session_timeout_ms);
  case OPTION_RECONNECT_GRACE:
    return take_seconds("reconnect-grace", argument, true, &options->reconnect_grace_ms);
  case OPTION_FIRST_FRAME_TIMEOUT:
    return take_seconds("first-frame-timeout", argument, false, &options->first_frame_timeout_ms);
  case OPTION_WORKERS:
    return take_workers(options, argument);
  case OPTION_SESSIONS_MAX:
    return take_sessions_max(options, argument);
  case OPTION_DRAIN:
    return take_seconds("drain", argument, true, &options->drain_ms);
  case OPTION_DEBUG:
    return options->debug = true;
  case OPTION_LOG_LEVEL:
    return take_log_level(options, argument);
  case OPTION_VERSION:
  case OPTION_HELP:
    break;
  }
  return false;
}

static OptionsResult wrong(void) {
  fprintf(stderr, "Try 'rtctcp-server --help'.\n");
  return OPTIONS_WRONG;
}

OptionsResult options_parse(Options *options, int argc, char **argv) {
  int option;
  set_defaults(options);
  while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (option == OPTION_HELP) {
      print_usage();
      return OPTIONS_DONE;
    }
    if (option == OPTION_VERSION) {
      printf("rtctcp-server %s\n", rtc_version());
      return OPTIONS_DONE;
    }
    if (option == '?' || !take_option(options, (Option)option, optarg))
      return wrong(); /* getopt_long has told what '?' is about */
  }
  if (optind < argc) {
    fprintf(stderr, "rtctcp-server: '%s': there are no arguments but options\n", argv[optind]);
    return wrong();
  }
  if (options->listen_count == 0)
    options->listen[options->listen_count++] = DEFAULT_LISTEN;
  return candidates_known(options) ? OPTIONS_RUN : wrong();
}
