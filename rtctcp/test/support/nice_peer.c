/* libnice's NiceAgent as a test peer's ICE, and the wire to it. */
#include "support/nice_peer.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <nice/agent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define COMPONENT   1
#define STREAM_NAME "audio" /* the media of the m= line: how libnice finds an SDP's stream */
#define HEADER_LEN  ((size_t)2)
#define FRAME_MAX   ((size_t)4096) /* none of the tests' frames is longer [octets] */
#define SDP_MAX     4096

/* Something to do on the agent's thread. */
typedef struct NiceCall {
  bool (*fn)(NicePeer *peer, void *arg);
  void *arg;   /* borrowed: the caller's */
  bool result; /* out */
} NiceCall;

struct NicePeer {
  GMainContext *context; /* owned */
  NiceAgent *agent;      /* owned */
  guint stream;          /* 0: none yet */
  int wire;              /* owned: the agent's end */
  int far_wire;          /* owned until it is asked for; -1 then */
  GSource *wire_source;  /* owned */
  uint8_t input[HEADER_LEN + FRAME_MAX];
  size_t input_len;

  pthread_t thread;
  bool runs;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  /* Under the lock. */
  bool stopping;
  NiceCall *call; /* borrowed: the caller's, who awaits that it is NULL again; NULL: none */
  bool selected;
  NicePair pair;
  NiceComponentState state;
};

/* -- The wire: a loopback conn, for RtcPeer sets TCP's options on it -- */

static bool listen_on_loopback(int fd, struct sockaddr_in *address) {
  socklen_t len = sizeof *address;
  *address =
      (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
  return bind(fd, (struct sockaddr *)address, len) == 0 && listen(fd, 1) == 0 &&
         getsockname(fd, (struct sockaddr *)address, &len) == 0;
}

static bool open_wire(NicePeer *peer) {
  struct sockaddr_in address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  peer->far_wire = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener >= 0 && peer->far_wire >= 0 && listen_on_loopback(listener, &address) &&
      connect(peer->far_wire, (struct sockaddr *)&address, sizeof address) == 0)
    peer->wire = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
  if (listener >= 0)
    close(listener);
  return peer->wire >= 0;
}

int nice_peer_wire(NicePeer *peer) {
  int fd = peer->far_wire;
  peer->far_wire = -1;
  return fd;
}

static void send_frames(NicePeer *peer) {
  size_t at = 0;
  while (peer->input_len - at >= HEADER_LEN) {
    size_t len = (size_t)peer->input[at] << 8 | peer->input[at + 1];
    if (peer->input_len - at < HEADER_LEN + len)
      break;
    /* What the agent can't send is lost, as on any network. */
    nice_agent_send(peer->agent, peer->stream, COMPONENT, (guint)len,
                    (const gchar *)peer->input + at + HEADER_LEN);
    at += HEADER_LEN + len;
  }
  peer->input_len -= at;
  memmove(peer->input, peer->input + at, peer->input_len);
}

static gboolean wire_readable(gint fd, GIOCondition condition, gpointer arg) {
  NicePeer *peer = arg;
  (void)condition;
  ssize_t got =
      recv(fd, peer->input + peer->input_len, sizeof peer->input - peer->input_len, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  if (got <= 0)
    return G_SOURCE_REMOVE;
  peer->input_len += (size_t)got;
  send_frames(peer);
  return G_SOURCE_CONTINUE;
}

/* -- What the agent tells, on its thread -- */

static void packet_received(NiceAgent *agent, guint stream, guint component, guint len, gchar *data,
                            gpointer arg) {
  const NicePeer *peer = arg;
  uint8_t frame[HEADER_LEN + FRAME_MAX];
  (void)agent;
  (void)stream;
  (void)component;
  if (len > FRAME_MAX)
    return;
  frame[0] = (uint8_t)(len >> 8);
  frame[1] = (uint8_t)len;
  memcpy(frame + HEADER_LEN, data, len);
  (void)!send(peer->wire, frame, HEADER_LEN + len, MSG_NOSIGNAL);
}

static void state_changed(NiceAgent *agent, guint stream, guint component, guint state,
                          gpointer arg) {
  NicePeer *peer = arg;
  (void)agent;
  (void)stream;
  (void)component;
  pthread_mutex_lock(&peer->lock);
  peer->state = (NiceComponentState)state;
  pthread_cond_broadcast(&peer->changed);
  pthread_mutex_unlock(&peer->lock);
}

static void write_address(const NiceAddress *address, char *text, size_t cap) {
  gchar host[NICE_ADDRESS_STRING_LEN];
  nice_address_to_string(address, host);
  bool v6 = nice_address_ip_version(address) == 6;
  snprintf(text, cap, v6 ? "[%s]:%u" : "%s:%u", host, nice_address_get_port(address));
}

static void pair_selected(NiceAgent *agent, guint stream, guint component,
                          const NiceCandidate *local, const NiceCandidate *remote, gpointer arg) {
  NicePeer *peer = arg;
  (void)agent;
  (void)stream;
  (void)component;
  pthread_mutex_lock(&peer->lock);
  peer->pair.tcp = local->transport == NICE_CANDIDATE_TRANSPORT_TCP_ACTIVE &&
                   remote->transport == NICE_CANDIDATE_TRANSPORT_TCP_PASSIVE;
  write_address(&local->addr, peer->pair.local, sizeof peer->pair.local);
  peer->selected = true;
  pthread_mutex_unlock(&peer->lock);
}

/* -- The agent's thread -- */

static bool is_stopping(NicePeer *peer) {
  pthread_mutex_lock(&peer->lock);
  bool stopping = peer->stopping;
  pthread_mutex_unlock(&peer->lock);
  return stopping;
}

static void take_call(NicePeer *peer) {
  pthread_mutex_lock(&peer->lock);
  NiceCall *call = peer->call;
  pthread_mutex_unlock(&peer->lock);
  if (!call)
    return;
  call->result = call->fn(peer, call->arg);
  pthread_mutex_lock(&peer->lock);
  peer->call = NULL;
  pthread_cond_broadcast(&peer->changed);
  pthread_mutex_unlock(&peer->lock);
}

static void *run_agent(void *arg) {
  NicePeer *peer = arg;
  while (!is_stopping(peer)) {
    take_call(peer);
    g_main_context_iteration(peer->context, TRUE);
  }
  return NULL;
}

/* All that the agent does, it does on its own thread. GLib's locks would allow any, but
 * ThreadSanitizer does not see them: it takes what one thread makes and another frees for a race.
 */
static bool on_agent_thread(NicePeer *peer, bool (*fn)(NicePeer *peer, void *arg), void *arg) {
  NiceCall call = {.fn = fn, .arg = arg};
  pthread_mutex_lock(&peer->lock);
  peer->call = &call;
  g_main_context_wakeup(peer->context);
  while (peer->call)
    pthread_cond_wait(&peer->changed, &peer->lock);
  pthread_mutex_unlock(&peer->lock);
  return call.result;
}

static bool await_state(NicePeer *peer, NiceComponentState state, int timeout_ms) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  pthread_mutex_lock(&peer->lock);
  while (peer->state != state && pthread_cond_timedwait(&peer->changed, &peer->lock, &until) == 0)
    ;
  bool reached = peer->state == state;
  pthread_mutex_unlock(&peer->lock);
  return reached;
}

bool nice_peer_await_ready(NicePeer *peer, int timeout_ms) {
  return await_state(peer, NICE_COMPONENT_STATE_READY, timeout_ms);
}

bool nice_peer_await_failed(NicePeer *peer, int timeout_ms) {
  return await_state(peer, NICE_COMPONENT_STATE_FAILED, timeout_ms);
}

bool nice_peer_selected_pair(NicePeer *peer, NicePair *pair) {
  pthread_mutex_lock(&peer->lock);
  bool selected = peer->selected;
  *pair = peer->pair;
  pthread_mutex_unlock(&peer->lock);
  return selected;
}

/* -- SDP, from libnice to the library and back -- */

static bool read_local_transport(NicePeer *peer, void *arg) {
  RtcSdpTransport *transport = arg;
  gchar *ufrag = NULL;
  gchar *pwd = NULL;
  memset(transport, 0, sizeof *transport);
  if (!nice_agent_get_local_credentials(peer->agent, peer->stream, &ufrag, &pwd))
    return false;
  snprintf(transport->ufrag, sizeof transport->ufrag, "%s", ufrag);
  snprintf(transport->pwd, sizeof transport->pwd, "%s", pwd);
  g_free(ufrag);
  g_free(pwd);
  GSList *candidates = nice_agent_get_local_candidates(peer->agent, peer->stream, COMPONENT);
  bool ok = candidates;
  for (GSList *at = candidates; ok && at; at = at->next) {
    gchar *text = nice_agent_generate_local_candidate_sdp(peer->agent, at->data);
    RtcCandidate *candidate = &transport->candidates[transport->candidate_count++];
    ok = transport->candidate_count < RTC_SDP_CANDIDATES_MAX &&
         rtc_sdp_candidate_parse(candidate, text + strlen("a="), strlen(text) - strlen("a=")) ==
             RTC_OK;
    g_free(text);
  }
  g_slist_free_full(candidates, (GDestroyNotify)(void *)nice_candidate_free);
  return ok;
}

bool nice_peer_local_transport(NicePeer *peer, RtcSdpTransport *transport) {
  return on_agent_thread(peer, read_local_transport, transport);
}

/* libnice takes a CR for a part of the line's last word. */
static void drop_carriage_returns(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++)
    if (*from != '\r')
      *to++ = *from;
  *to = '\0';
}

static bool parse_remote(NicePeer *peer, void *text) {
  return nice_agent_parse_remote_sdp(peer->agent, text) > 0;
}

bool nice_peer_connect(NicePeer *peer, const RtcSdpTransport *remote) {
  char text[SDP_MAX];
  size_t len;
  int head = snprintf(text, sizeof text, "v=0\n%sm=%s 9 UDP/TLS/RTP/SAVPF 111\n",
                      remote->ice_lite ? "a=ice-lite\n" : "", STREAM_NAME);
  if (rtc_sdp_transport_write(remote, text + head, sizeof text - (size_t)head, &len) != RTC_OK)
    return false;
  drop_carriage_returns(text);
  return on_agent_thread(peer, parse_remote, text);
}

static bool restart_stream(NicePeer *peer, void *arg) {
  (void)arg;
  return nice_agent_restart_stream(peer->agent, peer->stream);
}

bool nice_peer_restart(NicePeer *peer) {
  pthread_mutex_lock(&peer->lock);
  peer->selected = false;
  peer->state = NICE_COMPONENT_STATE_GATHERING; /* whatever is told next is new */
  pthread_mutex_unlock(&peer->lock);
  return on_agent_thread(peer, restart_stream, NULL);
}

/* -- Life -- */

static NiceAgent *make_agent(GMainContext *context, const NicePeerConfig *config) {
  NiceAgentOption options = NICE_AGENT_OPTION_NONE;
  if (!config->aggressive)
    options |= NICE_AGENT_OPTION_REGULAR_NOMINATION;
  NiceAgent *agent = nice_agent_new_full(context, NICE_COMPATIBILITY_RFC5245, options);
  if (agent)
    g_object_set(agent, "ice-udp", FALSE, "ice-tcp", TRUE, "upnp", FALSE, "controlling-mode",
                 !config->controlled, NULL);
  return agent;
}

static bool gather(NicePeer *peer, const char *address) {
  NiceAddress local;
  nice_address_init(&local);
  if (!nice_address_set_from_string(&local, address) ||
      !nice_agent_add_local_address(peer->agent, &local))
    return false;
  peer->stream = nice_agent_add_stream(peer->agent, 1);
  return peer->stream && nice_agent_set_stream_name(peer->agent, peer->stream, STREAM_NAME) &&
         nice_agent_attach_recv(peer->agent, peer->stream, COMPONENT, peer->context,
                                packet_received, peer) &&
         nice_agent_gather_candidates(peer->agent, peer->stream);
}

static void watch(NicePeer *peer) {
  g_signal_connect(peer->agent, "component-state-changed", G_CALLBACK(state_changed), peer);
  g_signal_connect(peer->agent, "new-selected-pair-full", G_CALLBACK(pair_selected), peer);
  peer->wire_source = g_unix_fd_source_new(peer->wire, G_IO_IN);
  g_source_set_callback(peer->wire_source, (GSourceFunc)(void *)wire_readable, peer, NULL);
  g_source_attach(peer->wire_source, peer->context);
}

static void init_lock(NicePeer *peer) {
  pthread_condattr_t attributes;
  pthread_mutex_init(&peer->lock, NULL);
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&peer->changed, &attributes);
  pthread_condattr_destroy(&attributes);
}

NicePeer *nice_peer_new(const NicePeerConfig *config) {
  NicePeer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return NULL;
  peer->wire = peer->far_wire = -1;
  init_lock(peer);
  peer->context = g_main_context_new();
  peer->agent = make_agent(peer->context, config);
  if (!peer->agent || !open_wire(peer))
    goto fail;
  watch(peer);
  if (!gather(peer, config->address))
    goto fail;
  peer->runs = pthread_create(&peer->thread, NULL, run_agent, peer) == 0;
  if (peer->runs)
    return peer;
fail:
  nice_peer_destroy(peer);
  return NULL;
}

static void stop_thread(NicePeer *peer) {
  if (!peer->runs)
    return;
  pthread_mutex_lock(&peer->lock);
  peer->stopping = true;
  pthread_mutex_unlock(&peer->lock);
  g_main_context_wakeup(peer->context);
  pthread_join(peer->thread, NULL);
}

void nice_peer_destroy(NicePeer *peer) {
  if (!peer)
    return;
  stop_thread(peer);
  if (peer->wire_source) {
    g_source_destroy(peer->wire_source);
    g_source_unref(peer->wire_source);
  }
  if (peer->stream)
    nice_agent_remove_stream(peer->agent, peer->stream);
  g_clear_object(&peer->agent);
  while (g_main_context_iteration(peer->context, FALSE))
    ;
  g_main_context_unref(peer->context);
  if (peer->wire >= 0)
    close(peer->wire);
  if (peer->far_wire >= 0)
    close(peer->far_wire);
  pthread_cond_destroy(&peer->changed);
  pthread_mutex_destroy(&peer->lock);
  free(peer);
}

void nice_peer_start_libraries(void) {
  const NicePeerConfig config = {.address = "127.0.0.1"};
  nice_peer_destroy(nice_peer_new(&config));
}
