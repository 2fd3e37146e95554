/* The active side of a session: it opens TCP conns to the peer's passive candidates, and controls
 * ICE: it checks them, nominates one, and keeps asking for the peer's consent.
 *
 * Nomination is regular (RFC 8445 section 8.1.1): the first TCP conn whose check succeeds is
 * nominated by a second request, and by each one that follows there. It costs no time: the request
 * and DTLS's first flight leave together, in this order, so an ICE-lite peer has selected the TCP
 * conn when the flight comes. To nominate with each first check would save a full peer a round trip
 * where it begins DTLS, but race: two checks that nominate make a lite peer take the conn of the
 * higher PRIORITY, or the later one, and this side the one that is answered first.
 *
 * PRIORITY is the same on each, that of the one local candidate there is, so for a lite peer the
 * newest nomination counts: that is what a TCP conn that comes back needs. */
#include "transport/rtc_connection_internal.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* The next candidate's turn while the better ones have not answered. RFC 8305 section 5 advises 100
 * ms to 2 s, and 250 where nothing is known; a lost session waits, so it is the shortest. */
#define PACE_US (100 * RTC_US_PER_MS)
/* Before a candidate is tried again: at once, 100 ms, 200 ms, ... */
#define BACKOFF_US     (100 * RTC_US_PER_MS)
#define BACKOFF_MAX_US (2000 * RTC_US_PER_MS)
/* Of binding requests on the selected TCP conn: between a half and all of this (RFC 7675 section
 * 5.1 says 4 to 6 s, for UDP; this also keeps NATs' and peers' timeouts away). */
#define CHECK_US (5000 * RTC_US_PER_MS)
/* Of the others, which only are to stay alive. */
#define STANDBY_FACTOR 3

/* RFC 8445 section 5.1.2.1 with RFC 6544 section 4.2: peer-reflexive (110) in a check, host (126)
 * in a candidate; active (direction preference 6). */
#define PRIORITY(type) ((uint32_t)(type) << 24 | (6u << 13 | 0x1fffu) << 8 | (256 - 1))

typedef struct Candidate {
  union {
    sa_family_t family;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  uint32_t priority;
  uint8_t failures; /* TCP conns to it that came to nothing, one after the other */
} Candidate;

struct RtcActive {
  uint64_t tie_breaker;
  RtcSetup setup;
  Candidate *candidates; /* owned: an array, the best first */
  size_t candidate_count;
};

RtcError rtc_connection_make_active(RtcConnection *connection, RtcSetup setup) {
  RtcShard *shard = connection->shard;
  uint64_t random48;
  if (!shard->stun_client) {
    RtcError error = rtc_stun_client_new(&shard->stun_client);
    if (error)
      return error;
  }
  if (getrandom(&random48, sizeof random48, 0) != sizeof random48)
    return RTC_ERROR_SYSTEM;
  connection->active = calloc(1, sizeof *connection->active);
  if (!connection->active)
    return RTC_ERROR_NO_MEMORY;
  connection->active->tie_breaker = RTC_STUN_TIE_BREAKER(random48);
  connection->active->setup = setup == RTC_SETUP_NONE ? RTC_SETUP_ACTPASS : setup;
  return RTC_OK;
}

void rtc_connection_free_active(RtcConnection *connection) {
  if (connection->active)
    free(connection->active->candidates);
  free(connection->active);
  connection->active = NULL;
}

/* An address of this host, if the server was told one: peers do not connect to it. */
void rtc_connection_describe_active(const RtcConnection *connection, RtcSdpTransport *transport) {
  RtcCandidate *candidate = &transport->candidates[0];
  transport->ice_lite = false;
  transport->setup = connection->active->setup;
  if (transport->candidate_count == 0)
    *candidate = (RtcCandidate){.address = "0.0.0.0"};
  transport->candidate_count = 1;
  candidate->component = 1;
  candidate->tcp = true;
  candidate->tcp_type = RTC_TCP_TYPE_ACTIVE;
  candidate->priority = PRIORITY(126);
  candidate->port = RTC_PORT_DISCARD;
  strcpy(candidate->foundation, "1");
  strcpy(candidate->type, "host");
}

/* -- Candidates -- */

static bool read_candidate(Candidate *candidate, const RtcCandidate *told) {
  RtcAddress address;
  if (!told->tcp || told->tcp_type != RTC_TCP_TYPE_PASSIVE || told->component != 1 ||
      told->port == 0 || rtc_address_parse(&address, told->address, told->port) != RTC_OK)
    return false;
  *candidate = (Candidate){.priority = told->priority};
  memcpy(&candidate->address, &address.storage, address.len);
  return true;
}

static int compare(const void *a, const void *b) {
  uint32_t left = ((const Candidate *)a)->priority;
  uint32_t right = ((const Candidate *)b)->priority;
  return left < right ? 1 : -(left > right);
}

/* Errors: NOT_FOUND, NO_MEMORY: nothing has changed */
static RtcError take_candidates(RtcActive *active, const RtcSdpTransport *remote) {
  Candidate read[RTC_SDP_CANDIDATES_MAX];
  size_t count = 0;
  for (size_t i = 0; i < remote->candidate_count; i++)
    count += read_candidate(&read[count], &remote->candidates[i]);
  if (count == 0)
    return RTC_ERROR_NOT_FOUND;
  qsort(read, count, sizeof *read, compare);
  Candidate *kept = malloc(count * sizeof *kept);
  if (!kept)
    return RTC_ERROR_NO_MEMORY;
  memcpy(kept, read, count * sizeof *kept);
  free(active->candidates);
  active->candidates = kept;
  active->candidate_count = count;
  return RTC_OK;
}

static RtcAddress address_of(const Candidate *candidate) {
  RtcAddress address = {.len = candidate->address.family == AF_INET6
                                   ? sizeof candidate->address.v6
                                   : sizeof candidate->address.v4};
  memcpy(&address.storage, &candidate->address, address.len);
  return address;
}

/* -- Opening TCP conns -- */

static bool is_tried(const RtcConnection *connection, size_t candidate, bool restarted) {
  for (size_t i = 0; i < connection->tcp_conn_count; i++) {
    const RtcTcpConn *tcp = connection->tcp_conns[i];
    if (tcp->candidate == candidate && tcp->restarted == restarted &&
        tcp->state < RTC_TCP_CONN_STATE_PACKETS)
      return true;
  }
  return false;
}

static RtcError open_one(RtcConnection *connection, size_t candidate, bool restarted,
                         int64_t delay_us) {
  RtcAddress address = address_of(&connection->active->candidates[candidate]);
  return rtc_tcp_conn_open(connection, &address, (uint8_t)candidate, restarted,
                           rtc_worker_now(connection->shard->worker) + delay_us);
}

/* One to each candidate, as many as there may be: first this one, after a delay, then the others,
 * the best first, each a little later than the one before.
 * Errors: NO_MEMORY, CLOSED: not even one could be opened */
static RtcError open_all(RtcConnection *connection, size_t first, bool restarted,
                         int64_t delay_us) {
  const RtcActive *active = connection->active;
  RtcError error = RTC_OK;
  bool any = false;
  for (size_t i = 0; i <= active->candidate_count; i++) {
    size_t candidate = i == 0 ? first : i - 1;
    if (connection->tcp_conn_count == RTC_CONNECTION_TCP_CONNS_MAX)
      break;
    if (is_tried(connection, candidate, restarted))
      continue;
    error = open_one(connection, candidate, restarted, delay_us);
    if (error)
      break;
    any = true;
    delay_us += PACE_US;
  }
  return any ? RTC_OK : error;
}

static int64_t backoff_us(Candidate *candidate) {
  int64_t delay_us = candidate->failures == 0 ? 0 : BACKOFF_US << (candidate->failures - 1);
  if (delay_us < BACKOFF_MAX_US)
    candidate->failures++;
  return delay_us < BACKOFF_MAX_US ? delay_us : BACKOFF_MAX_US;
}

/* The next candidate that is not being tried: this one, unless there are more than may be tried at
 * once. */
static size_t next_of(const RtcConnection *connection, size_t candidate, bool restarted) {
  const RtcActive *active = connection->active;
  size_t next = candidate;
  if (active->candidate_count <= RTC_CONNECTION_TCP_CONNS_MAX)
    return candidate;
  do
    next = (next + 1) % active->candidate_count;
  while (next != candidate && is_tried(connection, next, restarted));
  return next;
}

/* What could not be opened for want of memory is not tried again: the session goes on with what it
 * has, or ends. */
static void opened(RtcConnection *connection, RtcError error) {
  if (error && connection->tcp_conn_count == 0)
    rtc_connection_end(connection,
                       error == RTC_ERROR_CLOSED ? RTC_CLOSE_WORKER_STOP : RTC_CLOSE_NO_MEMORY);
}

static void try_again(RtcConnection *connection, size_t candidate, bool restarted) {
  size_t next = next_of(connection, candidate, restarted);
  int64_t delay_us = backoff_us(&connection->active->candidates[next]);
  opened(connection, open_one(connection, next, restarted, delay_us));
}

/* -- Checks -- */

/* The jitter is the transaction id's, which is random anyway. */
static int64_t check_interval_us(const RtcConnection *connection, const RtcTcpConn *tcp) {
  int64_t longest_us = connection->shard->settings->session_timeout_us / (2 * STANDBY_FACTOR);
  int64_t span_us = CHECK_US < longest_us ? CHECK_US : longest_us;
  int64_t random16 = tcp->transaction.id[0] << 8 | tcp->transaction.id[1];
  int64_t interval_us = span_us / 2 + span_us / 2 * random16 / UINT16_MAX;
  return connection->selected == tcp ? interval_us : STANDBY_FACTOR * interval_us;
}

static void ask(RtcConnection *connection, RtcTcpConn *tcp, bool nominate) {
  const RtcIceCredentials *ice = tcp->restarted ? connection->restart : connection->ice;
  const RtcStunCheck check = {.remote_ufrag = ice->remote_ufrag,
                              .local_ufrag = ice->ufrag,
                              .remote_pwd = ice->remote_pwd,
                              .priority = PRIORITY(110),
                              .tie_breaker = connection->active->tie_breaker,
                              .use_candidate = nominate};
  uint8_t request[RTC_STUN_REQUEST_MAX];
  size_t len;
  RtcError error = rtc_stun_client_request(connection->shard->stun_client, &check, request, &len,
                                           &tcp->transaction);
  if (!error)
    error = rtc_tcp_conn_send_control(tcp, request, len);
  tcp->asked = !error;
  if (error)
    rtc_connection_drop(connection, RTC_DROP_QUEUE_FULL);
  tcp->next_us = rtc_worker_now(connection->shard->worker) + check_interval_us(connection, tcp);
}

/* One request at a time: TCP delivers it, or fails, so to ask anew would tell nothing, and a
 * response that takes longer than the interval would always answer the request before. */
void rtc_connection_check(RtcConnection *connection, RtcTcpConn *tcp) {
  if (tcp->asked)
    tcp->next_us = rtc_worker_now(connection->shard->worker) + check_interval_us(connection, tcp);
  else
    ask(connection, tcp, connection->selected == tcp);
}

/* The nomination leaves first, then DTLS. */
static void nominate(RtcConnection *connection, RtcTcpConn *tcp) {
  ask(connection, tcp, true);
  rtc_connection_select(connection, tcp);
}

static void release_unneeded(RtcConnection *connection) {
  for (size_t i = connection->tcp_conn_count; i-- > 0;) {
    RtcTcpConn *tcp = connection->tcp_conns[i];
    if (tcp->state < RTC_TCP_CONN_STATE_PACKETS && !tcp->restarted)
      rtc_connection_detach(connection, tcp, RTC_TCP_CLOSE_UNNEEDED);
  }
}

/* Its first check has succeeded. */
static void checked(RtcConnection *connection, RtcTcpConn *tcp) {
  rtc_tcp_conn_authenticated(tcp);
  if (connection->selected && !tcp->restarted)
    return; /* a standby */
  nominate(connection, tcp);
  if (tcp->restarted)
    rtc_connection_complete_restart(connection);
  release_unneeded(connection);
  if (connection->state == RTC_CONNECTION_STATE_NEW ||
      connection->state == RTC_CONNECTION_STATE_DISCONNECTED)
    rtc_connection_resume(connection);
}

/* A peer that insists on the same role (487) can't be followed: who opens the TCP conns controls.
 * The next TCP conn asks again, so that a session whose peer was late in its own role may still
 * come to be. */
static void refused(RtcConnection *connection, RtcTcpConn *tcp, uint16_t error_code) {
  RTC_LOG(rtc_shard_log(connection->shard), WARN,
          "session=%s tcp-conn=%s: the peer answers a binding request with %u", connection->tag,
          tcp->peer_text, (unsigned)error_code);
  rtc_connection_drop(connection, RTC_DROP_STUN);
  if (tcp->state != RTC_TCP_CONN_STATE_PACKETS)
    rtc_tcp_conn_end(tcp, RTC_TCP_CLOSE_CHECK_FAILED);
}

void rtc_connection_answered(RtcConnection *connection, RtcTcpConn *tcp, const uint8_t *packet,
                             size_t len) {
  const RtcIceCredentials *ice = tcp->restarted ? connection->restart : connection->ice;
  RtcStunResponse response = RTC_STUN_RESPONSE_IGNORED;
  uint16_t error_code;
  if (tcp->asked)
    response = rtc_stun_client_response(connection->shard->stun_client, &tcp->transaction,
                                        ice->remote_pwd, packet, len, &error_code);
  if (response == RTC_STUN_RESPONSE_IGNORED) {
    rtc_connection_drop(connection, RTC_DROP_STUN);
    return;
  }
  tcp->asked = false;
  if (response != RTC_STUN_RESPONSE_SUCCESS)
    refused(connection, tcp, error_code);
  else if (tcp->state == RTC_TCP_CONN_STATE_PACKETS)
    rtc_tcp_conn_heard(tcp);
  else
    checked(connection, tcp);
}

/* -- Losing TCP conns -- */

static bool has_ready(const RtcConnection *connection) {
  for (size_t i = 0; i < connection->tcp_conn_count; i++)
    if (connection->tcp_conns[i]->state == RTC_TCP_CONN_STATE_PACKETS)
      return true;
  return false;
}

/* Wanted still: there is none to take its place, or it was to prove a restart that is pending. */
static bool is_wanted(const RtcConnection *connection, const RtcTcpConn *tcp) {
  return tcp->restarted ? connection->restart != NULL : connection->selected == NULL;
}

/* The selected one has gone, and there is no other: on with the candidate that was good, at once,
 * unless that one is lost soon again and again. */
static void come_back(RtcConnection *connection, const RtcTcpConn *tcp, size_t index) {
  const RtcShard *shard = connection->shard;
  Candidate *candidate = &connection->active->candidates[index];
  rtc_connection_disconnect(connection);
  if (connection->state != RTC_CONNECTION_STATE_DISCONNECTED) /* no grace, or the host closed it */
    return;
  if (rtc_worker_now(shard->worker) - tcp->made_us > BACKOFF_MAX_US)
    candidate->failures = 0;
  opened(connection, open_all(connection, index, false, backoff_us(candidate)));
}

void rtc_connection_active_lost(RtcConnection *connection, const RtcTcpConn *tcp, bool ready,
                                bool cut, RtcTcpClose close) {
  /* An ICE restart may have brought other candidates since it was opened. */
  size_t candidate = tcp->candidate < connection->active->candidate_count ? tcp->candidate : 0;
  if (close == RTC_TCP_CLOSE_WORKER_STOP && !connection->selected)
    rtc_connection_end(connection, RTC_CLOSE_WORKER_STOP);
  else if (!ready && is_wanted(connection, tcp))
    try_again(connection, candidate, tcp->restarted);
  else if (!ready || connection->selected)
    return;
  else if (has_ready(connection)) {
    rtc_connection_fail_over(connection, cut);
    ask(connection, connection->selected, true);
  } else if (close == RTC_TCP_CLOSE_SILENCE)
    rtc_connection_end(connection, RTC_CLOSE_TIMEOUT);
  else
    come_back(connection, tcp, candidate);
}

/* -- What the host asks -- */

/* RFC 8842 section 5.3, RFC 4145 section 4.1: a peer that leaves the choice, or says nothing, is
 * the DTLS server; it has less to wait for.
 * returns  false: both say the same */
static bool choose_role(RtcDtlsRole *role, RtcSetup own, RtcSetup peer) {
  bool client = own == RTC_SETUP_ACTIVE || (own == RTC_SETUP_ACTPASS && peer != RTC_SETUP_ACTIVE);
  *role = client ? RTC_DTLS_ROLE_CLIENT : RTC_DTLS_ROLE_SERVER;
  return own == RTC_SETUP_ACTPASS || own != peer;
}

static RtcError pair_credentials(RtcIceCredentials **credentials, const RtcSdpTransport *remote) {
  RtcIceCredentials *paired;
  RtcError error = rtc_ice_credentials_pair(&paired, *credentials, remote->ufrag, remote->pwd);
  if (error)
    return error;
  free(*credentials);
  *credentials = paired;
  return RTC_OK;
}

RtcError rtc_connection_connect(RtcConnection *connection, const RtcSdpTransport *remote) {
  RtcActive *active = connection->active;
  const RtcShard *shard = connection->shard;
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  if (!active || connection->dtls)
    return RTC_ERROR_INVALID_STATE;
  if (!rtc_connection_can_be_proven(remote) ||
      !choose_role(&connection->role, active->setup, remote->setup))
    return RTC_ERROR_INVALID_ARGUMENT;
  RtcError error = take_candidates(active, remote);
  if (!error)
    error = pair_credentials(&connection->ice, remote);
  if (!error)
    error = rtc_connection_make_dtls(connection, remote);
  if (error)
    return error;
  error = open_all(connection, 0, false, 0);
  if (error) {
    rtc_dtls_destroy(connection->dtls);
    connection->dtls = NULL;
    return error;
  }
  active->setup = connection->role == RTC_DTLS_ROLE_CLIENT ? RTC_SETUP_ACTIVE : RTC_SETUP_PASSIVE;
  rtc_timer_start(&connection->timer,
                  rtc_worker_now(shard->worker) + shard->settings->session_timeout_us);
  return RTC_OK;
}

/* Its candidates may be new ones; if it tells none, those that it had are good still. */
RtcError rtc_connection_active_restart(RtcConnection *connection, const RtcSdpTransport *remote) {
  RtcError error = pair_credentials(&connection->restart, remote);
  if (!error)
    error = take_candidates(connection->active, remote);
  if (error == RTC_ERROR_NOT_FOUND)
    error = RTC_OK;
  return error ? error : open_all(connection, 0, true, 0);
}
