/* What sending costs at the least: the library's SRTP, a copy, framing and one send call a
 * receiver, in a bare loop over loopback TCP conns. No sessions, no queues, no event loop.
 *
 * Each work is done twice: flat out, where caches are warm and the readers hardly ever sleep, and
 * paced, at the rate of a real stream, where each frame begins with cold caches and wakes those who
 * wait for it. A server that sends a stream at its rate is to be compared with the second. */
#include "protocol/framing.h"
#include "protocol/srtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PACKET_LEN     ((size_t)1000) /* of RTP, before it is protected */
#define PACKET_CAP     (PACKET_LEN + RTC_SRTP_OVERHEAD_MAX)
#define FRAME_CAP      (RTC_FRAME_HEADER_LEN + PACKET_CAP)
#define RTP_HEADER_LEN 12
#define PACKETS_MAX    10
#define RECEIVERS_MAX  5000
#define READ_LEN       ((size_t)256 * 1024)
#define WARM_UP        10 /* a tenth of the time */
#define NS_PER_S       1000000000LL

typedef struct Work {
  const char *name;
  unsigned streams;   /* their frames take turns */
  unsigned receivers; /* of each stream */
  unsigned packets;   /* of a frame, sent to each receiver with one call */
  unsigned rate;      /* of each stream, when paced [frames/s] */
} Work;

/* few and many send as many packets a second in all: what it costs that they go to more conns. */
static const Work works[] = {{"frames", 1, 50, PACKETS_MAX, 25},
                             {"single", 1, 200, 1, 125},
                             {"few", 1, 100, 1, 200},
                             {"many", 50, 100, 1, 4}};

typedef struct Receiver {
  int fd;        /* owned */
  RtcSrtp *srtp; /* owned */
  uint16_t sequence;
} Receiver;

typedef struct Sender {
  const Work *work; /* borrowed */
  Receiver receivers[RECEIVERS_MAX];
  uint8_t packets[PACKETS_MAX][PACKET_LEN]; /* as they came from the publisher */
  uint8_t chunk[PACKETS_MAX * FRAME_CAP];
  unsigned next_stream; /* whose frame is the next */
  uint64_t octets_sent;
} Sender;

static unsigned receivers_of(const Work *work) {
  return work->streams * work->receivers;
}

typedef struct Figures {
  uint64_t packets;
  double cpu_ns, user_ns, system_ns; /* a packet */
  double wall_s;
} Figures;

typedef struct Options {
  double seconds;   /* each work, each way */
  int core;         /* the sender's; -1: any */
  int peer_core;    /* the readers'; -1: any */
  const char *work; /* borrowed: only this one; NULL: all */
  bool json;
} Options;

static void fail(const char *what) {
  fprintf(stderr, "bench_limits: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void pin(int core) {
  cpu_set_t set;
  if (core < 0)
    return;
  CPU_ZERO(&set);
  CPU_SET((size_t)core, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0)
    fail("sched_setaffinity");
}

/* ---- The readers: one process, which reads whatever comes ------------------------------------ */

typedef struct Readers {
  pid_t process;
  int total; /* owned: a pipe, through which it tells how many octets came */
} Readers;

static uint64_t read_all(int epoll, unsigned open) {
  static uint8_t buffer[READ_LEN];
  struct epoll_event events[64];
  uint64_t total = 0;
  while (open > 0) {
    int count = epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < count; i++) {
      ssize_t got = recv(events[i].data.fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        total += (uint64_t)got;
      } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(events[i].data.fd);
        open--;
      }
    }
  }
  return total;
}

static void run_readers(const struct sockaddr_in *address, unsigned count, int total_pipe) {
  int epoll = epoll_create1(0);
  if (epoll < 0)
    fail("epoll_create1");
  for (unsigned i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
      fail("connect");
  }
  uint64_t total = read_all(epoll, count);
  if (write(total_pipe, &total, sizeof total) != (ssize_t)sizeof total)
    fail("write");
}

static Readers start_readers(const struct sockaddr_in *address, unsigned count, int core) {
  int ends[2];
  if (pipe(ends) != 0)
    fail("pipe");
  fflush(NULL);
  Readers readers = {.process = fork(), .total = ends[0]};
  if (readers.process < 0)
    fail("fork");
  if (readers.process == 0) {
    pin(core);
    run_readers(address, count, ends[1]);
    _exit(0);
  }
  close(ends[1]);
  return readers;
}

/* Every octet must have come: what was not delivered was not paid for in full. */
static void end_readers(Readers *readers, uint64_t expected) {
  uint64_t total = 0;
  if (read(readers->total, &total, sizeof total) != (ssize_t)sizeof total)
    fail("the readers have failed");
  close(readers->total);
  waitpid(readers->process, NULL, 0);
  if (total != expected) {
    fprintf(stderr, "bench_limits: not all that was sent has come\n");
    exit(1);
  }
}

/* ---- The sender ------------------------------------------------------------------------------ */

static RtcSrtp *make_srtp(unsigned seed) {
  RtcSrtp *srtp;
  RtcSrtpKeys keys = {.profile = RTC_SRTP_PROFILE_AEAD_AES_128_GCM, .len = 28};
  for (size_t i = 0; i < keys.len; i++) {
    keys.send[i] = (uint8_t)(seed + 7 * i);
    keys.receive[i] = (uint8_t)(seed + 11 * i + 1);
  }
  if (rtc_srtp_new(&srtp, &keys) != RTC_OK)
    fail("rtc_srtp_new");
  return srtp;
}

static void make_packets(Sender *sender) {
  static const uint8_t header[RTP_HEADER_LEN] = {[0] = 0x80, [1] = 96, [11] = 1};
  for (size_t i = 0; i < PACKETS_MAX; i++) {
    for (size_t j = 0; j < PACKET_LEN; j++)
      sender->packets[i][j] = (uint8_t)(i + 31 * j);
    memcpy(sender->packets[i], header, sizeof header);
  }
}

static Readers open_conns(Sender *sender, const Options *options) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  const int on = 1;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
      listen(listener, RECEIVERS_MAX) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &len) != 0)
    fail("listen");
  Readers readers = start_readers(&address, receivers_of(sender->work), options->peer_core);
  for (unsigned i = 0; i < receivers_of(sender->work); i++) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
      fail("accept");
    sender->receivers[i] = (Receiver){.fd = fd, .srtp = make_srtp(i)};
  }
  close(listener);
  return readers;
}

static void close_conns(Sender *sender) {
  for (unsigned i = 0; i < receivers_of(sender->work); i++) {
    close(sender->receivers[i].fd);
    rtc_srtp_destroy(sender->receivers[i].srtp);
  }
}

/* Copies, rewrites, protects and frames one packet. The octets that were written. */
static size_t put_packet(Receiver *receiver, const uint8_t *packet, uint8_t *to) {
  uint8_t *copy = to + RTC_FRAME_HEADER_LEN;
  size_t len = PACKET_LEN;
  memcpy(copy, packet, len);
  receiver->sequence++;
  copy[2] = (uint8_t)(receiver->sequence >> 8);
  copy[3] = (uint8_t)receiver->sequence;
  if (rtc_srtp_protect(receiver->srtp, copy, &len, PACKET_CAP) != RTC_OK) {
    fprintf(stderr, "bench_limits: a packet can't be protected\n");
    exit(1);
  }
  rtc_frame_write_header(to, len);
  return RTC_FRAME_HEADER_LEN + len;
}

static void send_all(int fd, const uint8_t *data, size_t len) {
  while (len > 0) {
    ssize_t sent = send(fd, data, len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EINTR)
      fail("send");
    if (sent > 0) {
      data += sent;
      len -= (size_t)sent;
    }
  }
}

static void send_frame(Sender *sender) {
  const Work *work = sender->work;
  Receiver *first = &sender->receivers[sender->next_stream * work->receivers];
  sender->next_stream = (sender->next_stream + 1) % work->streams;
  for (Receiver *receiver = first; receiver < first + work->receivers; receiver++) {
    size_t len = 0;
    for (unsigned j = 0; j < work->packets; j++)
      len += put_packet(receiver, sender->packets[j], sender->chunk + len);
    send_all(receiver->fd, sender->chunk, len);
    sender->octets_sent += len;
  }
}

/* Frames for so long; paced, or one after the other. How many. */
static uint64_t send_frames(Sender *sender, double seconds, unsigned rate) {
  uint64_t frames = 0;
  const int64_t begin = now_ns(CLOCK_MONOTONIC);
  const int64_t end = begin + (int64_t)(seconds * (double)NS_PER_S);
  int64_t due = begin;
  while (now_ns(CLOCK_MONOTONIC) < end) {
    if (rate > 0) {
      const struct timespec until = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S};
      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
      due += NS_PER_S / rate;
    }
    send_frame(sender);
    frames++;
  }
  return frames;
}

static double timeval_ns(const struct timeval *after, const struct timeval *before) {
  return (double)(after->tv_sec - before->tv_sec) * (double)NS_PER_S +
         (double)(after->tv_usec - before->tv_usec) * 1000;
}

/* rate 0: flat out. */
static Figures measure(const Work *work, unsigned rate, const Options *options) {
  static Sender sender;
  struct rusage before, after;
  sender = (Sender){.work = work};
  make_packets(&sender);
  Readers readers = open_conns(&sender, options);
  send_frames(&sender, options->seconds / WARM_UP, rate);

  getrusage(RUSAGE_SELF, &before);
  const int64_t wall = now_ns(CLOCK_MONOTONIC);
  const int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t packets =
      send_frames(&sender, options->seconds, rate) * work->receivers * work->packets;
  Figures figures = {.packets = packets,
                     .cpu_ns = (double)(now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)packets,
                     .wall_s = (double)(now_ns(CLOCK_MONOTONIC) - wall) / (double)NS_PER_S};
  getrusage(RUSAGE_SELF, &after);
  figures.user_ns = timeval_ns(&after.ru_utime, &before.ru_utime) / (double)packets;
  figures.system_ns = timeval_ns(&after.ru_stime, &before.ru_stime) / (double)packets;

  close_conns(&sender);
  end_readers(&readers, sender.octets_sent);
  return figures;
}

/* The copy and the protection alone, one receiver, nothing sent. [ns a packet] */
static double measure_protect(void) {
  enum { ROUNDS = 200000 };
  static Sender sender;
  make_packets(&sender);
  Receiver receiver = {.fd = -1, .srtp = make_srtp(1)};
  const int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (unsigned i = 0; i < ROUNDS; i++)
    put_packet(&receiver, sender.packets[i % PACKETS_MAX], sender.chunk);
  const int64_t spent = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  rtc_srtp_destroy(receiver.srtp);
  return (double)spent / ROUNDS;
}

/* ---- The program ----------------------------------------------------------------------------- */

static void print_figures(const Options *options, const char *way, const Figures *figures) {
  if (options->json)
    printf(",\"%s\":{\"packets\":%llu,\"cpu_ns_per_packet\":%.1f,\"user_ns_per_packet\":%.1f,"
           "\"system_ns_per_packet\":%.1f,\"packets_per_s\":%.0f}",
           way, (unsigned long long)figures->packets, figures->cpu_ns, figures->user_ns,
           figures->system_ns, (double)figures->packets / figures->wall_s);
  else
    printf("  %-8s  %7.0f ns CPU a packet (user %.0f, system %.0f), %.0f packets/s\n", way,
           figures->cpu_ns, figures->user_ns, figures->system_ns,
           (double)figures->packets / figures->wall_s);
}

static void run_work(const Work *work, const Options *options) {
  Figures flat_out = measure(work, 0, options);
  Figures paced = measure(work, work->rate * work->streams, options);
  if (options->json)
    printf(",\"%s\":{\"streams\":%u,\"receivers\":%u,\"packets_per_frame\":%u,\"frames_per_s\":%u",
           work->name, work->streams, work->receivers, work->packets, work->rate);
  else
    printf("%s: %u packet%s of %zu octets a send, %u stream%s of %u receivers, paced at %u/s\n",
           work->name, work->packets, work->packets == 1 ? "" : "s", PACKET_LEN, work->streams,
           work->streams == 1 ? "" : "s", work->receivers, work->rate);
  print_figures(options, "flat_out", &flat_out);
  print_figures(options, "paced", &paced);
  if (options->json)
    printf("}");
}

/* A number in [min, max], and nothing behind it. */
static bool read_number(const char *text, double min, double max, double *number) {
  char *end;
  *number = text ? strtod(text, &end) : 0;
  return text && end != text && !*end && *number >= min && *number <= max;
}

static bool read_options(Options *options, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    double number;
    if (strcmp(argv[i], "--json") == 0) {
      options->json = true;
    } else if (strcmp(argv[i], "--seconds") == 0 && read_number(argv[++i], 0.01, 3600, &number)) {
      options->seconds = number;
    } else if (strcmp(argv[i], "--core") == 0 && read_number(argv[++i], 0, 1023, &number)) {
      options->core = (int)number;
    } else if (strcmp(argv[i], "--peer-core") == 0 && read_number(argv[++i], 0, 1023, &number)) {
      options->peer_core = (int)number;
    } else if (strcmp(argv[i], "--work") == 0 && argv[i + 1]) {
      options->work = argv[++i];
    } else {
      return false;
    }
  }
  return true;
}

int main(int argc, char **argv) {
  Options options = {.seconds = 3, .core = -1, .peer_core = -1};
  if (!read_options(&options, argc, argv)) {
    fprintf(
        stderr,
        "usage: bench_limits [--json] [--work frames|single|few|many] [--seconds S] [--core N]\n"
        "                    [--peer-core N]\n");
    return 2;
  }
  pin(options.core);
  const double protect_ns = measure_protect();
  if (options.json)
    printf("{\"packet_len\":%zu,\"protect_ns_per_packet\":%.1f", PACKET_LEN, protect_ns);
  else
    printf("copy, protect and frame alone: %.0f ns CPU a packet\n", protect_ns);
  for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
    if (!options.work || strcmp(options.work, works[i].name) == 0)
      run_work(&works[i], &options);
  if (options.json)
    printf("}\n");
  return 0;
}
