/* Gathers the figures, worker after worker, and writes them, see metrics.h. */
#include "metrics.h"

#include "round.h"
#include "text.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>

typedef struct Figures {
  RtcServerStats server;
  RtcSourceManagerStats sources;
  RtcWorkerStats worker;
  uint64_t sessions;
} Figures;

typedef struct MetricsJob {
  RoundJob round;
  Figures figures[]; /* one for each worker */
} MetricsJob;

static RtcError gather(RoundJob *round, const HostWorker *worker) {
  MetricsJob *job = (MetricsJob *)round;
  Figures *figures = &job->figures[worker->index];
  rtc_server_stats(round->host->server, worker->worker, &figures->server);
  rtc_source_manager_stats(worker->sources, &figures->sources);
  rtc_worker_stats(worker->worker, &figures->worker);
  figures->sessions = sessions_count(&worker->sessions);
  return RTC_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

typedef struct Metric {
  const char *name; /* without "rtctcp_" */
  const char *type;
  const char *help;
  size_t offset; /* of a uint64_t in Figures */
} Metric;

#define FIGURE(field) offsetof(Figures, field)

static const Metric metrics[] = {
    {"connections_live", "gauge", "WebRTC sessions.", FIGURE(server.connections.live)},
    {"connections_total", "counter", "WebRTC sessions ever.", FIGURE(server.connections.total)},
    {"tcp_conns_live", "gauge", "TCP conns, authenticated or not yet; HTTP's are not among them.",
     FIGURE(server.tcp_conns.live)},
    {"tcp_conns_total", "counter", "TCP conns ever accepted.", FIGURE(server.tcp_conns.total)},
    {"tcp_conns_unauthenticated", "gauge", "TCP conns whose first frame is awaited.",
     FIGURE(server.unauthenticated)},
    {"sources_live", "gauge", "Streams that the worker has a publisher or players of.",
     FIGURE(sources.sources_live)},
    {"sources_total", "counter", "Streams ever.", FIGURE(sources.sources_total)},
    {"consumers_live", "gauge", "Players of streams.", FIGURE(sources.consumers_live)},
    {"consumers_total", "counter", "Players of streams ever.", FIGURE(sources.consumers_total)},
    {"relayed_in_total", "counter", "Media packets from other workers.",
     FIGURE(sources.relayed_in)},
    {"relayed_out_total", "counter", "Media packets to other workers, once to each.",
     FIGURE(sources.relayed_out)},
    {"relay_batches_in_total", "counter", "Batches that they came in.",
     FIGURE(sources.relay_batches_in)},
    {"relay_batches_out_total", "counter", "Batches that they went in.",
     FIGURE(sources.relay_batches_out)},
    {"relay_dropped_total", "counter", "Media packets for a worker that did not keep up.",
     FIGURE(sources.relay_dropped)},
    {"sessions_live", "gauge", "WHIP and WHEP resources.", FIGURE(sessions)},
    {"coroutines_live", "gauge", "Coroutines.", FIGURE(worker.coroutines_live)},
    {"coroutines_total", "counter", "Coroutines ever.", FIGURE(worker.coroutines_total)},
    {"stacks_pooled", "gauge", "Coroutine stacks that are kept for later.",
     FIGURE(worker.stacks_pooled)},
    {"stack_high_water_bytes", "gauge", "Deepest use of any coroutine's stack.",
     FIGURE(worker.stack_high_water)},
    {"posts_total", "counter", "Messages between threads.", FIGURE(worker.posts)},
    {"descriptors_total", "counter", "Sockets ever opened or accepted, HTTP's among them.",
     FIGURE(server.sockets_total)},
    {"accept_errors_total", "counter", "Accepts that failed.", FIGURE(server.accept_errors)},
    {"refused_total", "counter", "Sockets closed at once because a cap was reached.",
     FIGURE(server.refused_limit)},
    {"handshakes_total", "counter", "DTLS handshakes that ended well.", FIGURE(server.handshakes)},
    {"packets_in_total", "counter", "SRTP and SRTCP packets opened.", FIGURE(server.packets_in)},
    {"octets_in_total", "counter", "Octets of them.", FIGURE(server.octets_in)},
    {"packets_out_total", "counter", "SRTP and SRTCP packets protected.",
     FIGURE(server.packets_out)},
    {"octets_out_total", "counter", "Octets of them.", FIGURE(server.octets_out)},
    {"queued_packets", "gauge", "Media packets that wait for a socket.",
     FIGURE(server.queued_packets)},
    {"queued_octets", "gauge", "Octets of them, 64 added to each.", FIGURE(server.queued_octets)},
    {"queue_age_microseconds", "gauge", "Age of the one that has waited the longest.",
     FIGURE(server.queue_age_us)},
    {"queue_age_max_microseconds", "gauge", "The greatest that this has been.",
     FIGURE(server.queue_age_max_us)},
    {"pool_lent_octets", "gauge", "Memory that queues and unsent chunks hold.",
     FIGURE(server.pool_lent_octets)},
    {"pool_kept_octets", "gauge", "Memory that is kept for them.", FIGURE(server.pool_kept_octets)},
    {"pool_blocks_made_total", "counter", "Blocks of it that had to be allocated.",
     FIGURE(server.pool_made)},
};

static void write_head(Text *text, const char *name, const char *type, const char *help) {
  text_printf(text, "# HELP rtctcp_%s %s\n# TYPE rtctcp_%s %s\n", name, help, name, type);
}

static uint64_t figure_at(const Figures *figures, size_t offset) {
  return *(const uint64_t *)(const void *)((const char *)figures + offset);
}

static void write_metric(Text *text, const MetricsJob *job, const Metric *metric) {
  write_head(text, metric->name, metric->type, metric->help);
  for (size_t i = 0; i < job->round.asked; i++)
    text_printf(text, "rtctcp_%s{worker=\"%zu\"} %" PRIu64 "\n", metric->name, i,
                figure_at(&job->figures[i], metric->offset));
}

/* A counter for each value of an enum. */
typedef struct Family {
  const char *name; /* without "rtctcp_" */
  const char *help;
  const char *label;
  const char *(*value_name)(size_t value);
  size_t first, count; /* values */
  size_t offset;       /* of a uint64_t[] in Figures */
} Family;

static const char *close_name(size_t value) {
  return rtc_close_name((RtcClose)value);
}

static const char *tcp_close_name(size_t value) {
  return rtc_tcp_close_name((RtcTcpClose)value);
}

static const char *drop_name(size_t value) {
  return rtc_drop_name((RtcDrop)value);
}

static const Family families[] = {
    {"connection_closes_total", "WebRTC sessions that ended.", "reason", close_name,
     RTC_CLOSE_NONE + 1, RTC_CLOSE_COUNT, FIGURE(server.closes)},
    {"tcp_conn_closes_total", "TCP conns that ended.", "reason", tcp_close_name, 0,
     RTC_TCP_CLOSE_COUNT, FIGURE(server.tcp_closes)},
    {"drops_total", "What sessions dropped instead of ending.", "cause", drop_name, 0,
     RTC_DROP_COUNT, FIGURE(server.drops)},
    {"frames_dropped_total", "Video frames that did not go out whole.", "cause", drop_name, 0,
     RTC_DROP_COUNT, FIGURE(server.frames_dropped)},
};

static void write_family(Text *text, const MetricsJob *job, const Family *family) {
  write_head(text, family->name, "counter", family->help);
  for (size_t i = 0; i < job->round.asked; i++)
    for (size_t value = family->first; value < family->count; value++)
      text_printf(text, "rtctcp_%s{worker=\"%zu\",%s=\"%s\"} %" PRIu64 "\n", family->name, i,
                  family->label, family->value_name(value),
                  figure_at(&job->figures[i], family->offset + value * sizeof(uint64_t)));
}

/* The process' open descriptors, without the one that counting them takes; 0: can't be counted. */
static uint64_t count_descriptors(void) {
  uint64_t count = 0;
  struct dirent *entry;
  DIR *dir = opendir("/proc/self/fd");
  if (!dir)
    return 0;
  while ((entry = readdir(dir)))
    if (entry->d_name[0] != '.')
      count++;
  closedir(dir);
  return count - 1;
}

static void write_process(Text *text, const Host *host) {
  HttpStats http;
  http_stats(host->http, &http);
  write_head(text, "http_connections_live", "gauge",
             "HTTP connections, this request's among them.");
  text_printf(text, "rtctcp_http_connections_live %" PRIu64 "\n", http.connections_live);
  write_head(text, "http_connections_total", "counter", "HTTP connections ever.");
  text_printf(text, "rtctcp_http_connections_total %" PRIu64 "\n", http.connections_total);
  write_head(text, "draining", "gauge", "1: no new sessions are taken, live ones go on.");
  text_printf(text, "rtctcp_draining %d\n", host_is_draining(host));
  write_head(text, "descriptors_live", "gauge",
             "Open descriptors of the process, those of HTTP connections among them.");
  text_printf(text, "rtctcp_descriptors_live %" PRIu64 "\n", count_descriptors());
  write_head(text, "build_info", "gauge", "The library's version.");
  text_printf(text, "rtctcp_build_info{version=\"%s\"} 1\n", rtc_version());
}

static void finish_metrics(HttpJob *base, HttpRequest *request) {
  MetricsJob *job = (MetricsJob *)base;
  Text text = {0};
  size_t len = 0;
  if (job->round.error != RTC_OK) {
    http_answer_text(request, 503, rtc_error_text(job->round.error));
    return;
  }
  for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
    write_metric(&text, job, &metrics[i]);
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
    write_family(&text, job, &families[i]);
  write_process(&text, job->round.host);
  char *body = text_take(&text, &len);
  http_answer_owned(request, 200, "text/plain; version=0.0.4; charset=utf-8", body, len);
}

static void destroy_metrics(HttpJob *job, bool delivered) {
  (void)delivered;
  free(job);
}

void metrics_request(HttpRequest *request, Host *host) {
  size_t size = sizeof(MetricsJob) + host->worker_count * sizeof(Figures);
  MetricsJob *job = calloc(1, size);
  if (!job) {
    http_answer_text(request, 500, rtc_error_text(RTC_ERROR_NO_MEMORY));
    return;
  }
  job->round =
      (RoundJob){.job = {.finish = finish_metrics, .destroy = destroy_metrics}, .ask = gather};
  round_begin(&job->round, request, host);
}
