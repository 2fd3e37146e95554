/* What happens to a session between its first TCP conn and its end. */
#include "soak/life.h"
#include "support/rtp.h"

#include <string.h>
#include <time.h>

#define ADDRESS       "127.0.0.1"
#define CALL_MS       15000 /* for an answer; a busy machine takes its time */
#define PLAY_MS       40    /* a player listens */
#define OPUS          111
#define VP8           96
#define PEER_SSRC     UINT32_C(0x0a0b0c0d)
#define STRANGER_CONN (PEER_CONNS_MAX - 1)
#define MORE_MAX      4 /* conns beside the first: one more than a session keeps */

void soak_pause_ms(unsigned ms) {
  const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  nanosleep(&pause, NULL);
}

bool soak_life_expect(SoakLife *life, const char *step, int result, int wanted) {
  if (result != wanted && !life->doomed)
    soak_surprise(life->clients, life->plan.ticket, step, result);
  return result == wanted;
}

void soak_life_count(SoakLife *life, SoakEvent event) {
  atomic_fetch_add(&life->clients->events[event], 1);
}

/* -- TCP conns -- */

bool soak_life_connect(SoakLife *life) {
  life->conns = 1;
  return soak_life_expect(life, "connect", peer_connect(life->peer, ADDRESS, life->port), PEER_OK);
}

void soak_life_lose(SoakLife *life, int conn) {
  switch (soak_random_below(&life->random, 3)) {
  case 0:
    peer_fin(life->peer, conn);
    peer_close(life->peer, conn);
    break;
  case 1:
    peer_rst(life->peer, conn);
    break;
  default:
    peer_close(life->peer, conn);
  }
}

bool soak_life_come_back(SoakLife *life) {
  int conn = peer_selected(life->peer);
  soak_life_lose(life, conn);
  if (soak_random_percent(&life->random, 50))
    soak_pause_ms(soak_random_below(&life->random, 30));
  int result = peer_reconnect(life->peer, conn, PEER_USE_CANDIDATE);
  return soak_life_expect(life, "come back", result, PEER_OK);
}

bool soak_life_more_conns(SoakLife *life) {
  int more = 1 + (int)soak_random_below(&life->random, MORE_MAX);
  soak_life_count(life, SOAK_EVENT_MORE_CONNS);
  while (more-- > 0) {
    unsigned flags = soak_random_percent(&life->random, 50) ? PEER_USE_CANDIDATE : 0;
    int conn = life->conns++;
    int result = peer_connect_conn(life->peer, conn, ADDRESS, life->port);
    if (result == PEER_OK)
      result = peer_bind(life->peer, conn, flags);
    if (!soak_life_expect(life, "one more TCP conn", result, PEER_OK))
      return false;
  }
  return true;
}

/* Only while no standby was replaced or released: all of them live. */
bool soak_life_fall_over(SoakLife *life) {
  int lost = peer_selected(life->peer);
  int next = lost == 0 ? 1 : 0;
  if (life->restarted || life->conns < 2 || life->conns > MORE_MAX)
    return true;
  soak_life_count(life, SOAK_EVENT_FALL_OVER);
  soak_life_lose(life, lost);
  int result = peer_bind(life->peer, next, PEER_USE_CANDIDATE);
  return soak_life_expect(life, "fall over", result, PEER_OK);
}

/* -- ICE restart -- */

static bool exchange_credentials(SoakLife *life) {
  SoakRequest request = {.verb = SOAK_VERB_RESTART, .id = life->id};
  SoakAnswer answer;
  life->restarted = true;
  peer_restart_ice(life->peer);
  peer_local_transport(life->peer, &request.remote);
  if (!soak_control_call(life->channel, &request, &answer, sizeof answer) || answer.error)
    return soak_life_expect(life, "the host restarts ICE", PEER_FAILED, PEER_OK);
  int result = peer_set_remote(life->peer, &answer.local);
  return soak_life_expect(life, "the restart's answer is taken", result, PEER_OK);
}

/* The nomination is of the same TCP conn, of another one, or never comes. */
bool soak_life_restart(SoakLife *life) {
  if (!exchange_credentials(life))
    return false;
  /* A restart while one is pending takes its place. */
  if (soak_random_percent(&life->random, 20) && !exchange_credentials(life))
    return false;
  if (soak_random_percent(&life->random, 25)) {
    soak_life_count(life, SOAK_EVENT_RESTART_LEFT);
    return true;
  }
  soak_life_count(life, SOAK_EVENT_RESTART);
  int conn = peer_selected(life->peer), result = PEER_OK;
  if (soak_random_percent(&life->random, 50)) {
    conn = life->conns++;
    result = peer_connect_conn(life->peer, conn, ADDRESS, life->port);
  }
  if (result == PEER_OK)
    result = peer_bind(life->peer, conn, PEER_USE_CANDIDATE);
  return soak_life_expect(life, "a nomination after the restart", result, PEER_OK);
}

/* -- Strangers -- */

static void send_garbage(SoakLife *life) {
  uint8_t octets[64];
  for (size_t i = 0; i < sizeof octets; i++)
    octets[i] = (uint8_t)soak_random(&life->random);
  octets[0] &= 7; /* so that it may be a frame's length */
  peer_send_raw(life->peer, STRANGER_CONN, octets, 1 + soak_random_below(&life->random, 64));
}

static bool say_something(SoakLife *life) {
  static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  switch (soak_random_below(&life->random, 4)) {
  case 0:
    send_garbage(life);
    return true;
  case 1:
    peer_send_raw(life->peer, STRANGER_CONN, http, sizeof http - 1);
    return true;
  case 2:
    return soak_life_expect(life, "a forged request",
                            peer_bind(life->peer, STRANGER_CONN, PEER_BAD_INTEGRITY), 401);
  default:
    peer_send_request(life->peer, STRANGER_CONN, PEER_UNKNOWN_UFRAG);
    return true;
  }
}

/* One that says nothing stays open, and is closed by the server before the peer is done with. */
bool soak_life_stranger(SoakLife *life) {
  int result = peer_connect_conn(life->peer, STRANGER_CONN, ADDRESS, life->port);
  if (!soak_life_expect(life, "a stranger connects", result, PEER_OK))
    return false;
  if (soak_random_percent(&life->random, 25)) {
    soak_life_count(life, SOAK_EVENT_SILENT_STRANGER);
    life->wait_ms = life->clients->first_frame_timeout_ms;
    life->wait_closed = STRANGER_CONN;
    return true;
  }
  soak_life_count(life, SOAK_EVENT_STRANGER);
  bool goes_on = say_something(life);
  soak_life_lose(life, STRANGER_CONN);
  return goes_on;
}

/* -- Media -- */

static int send_audio(SoakLife *life) {
  uint8_t packet[256];
  const RtpHeader header = {.payload_type = OPUS,
                            .sequence = (uint16_t)(1000 + life->packets),
                            .timestamp = 960u * life->packets,
                            .ssrc = PEER_SSRC};
  life->packets++;
  return peer_send_rtp(life->peer, packet, rtp_write_opus(packet, &header, 80));
}

static int send_video(SoakLife *life) {
  uint8_t packet[1024];
  const RtpHeader header = {.payload_type = VP8,
                            .marker = true,
                            .sequence = (uint16_t)(1000 + life->packets),
                            .timestamp = 3000u * life->packets,
                            .ssrc = PEER_SSRC + 1};
  life->packets++;
  return peer_send_rtp(life->peer, packet, rtp_write_vp8(packet, &header, true, true, 900));
}

static int send_report(SoakLife *life) {
  uint8_t packet[64];
  return peer_send_rtcp(life->peer, packet, rtcp_write_sr(packet, PEER_SSRC, 1, 960));
}

static bool echo_media(SoakLife *life) {
  PeerMedia media;
  unsigned count = 1 + soak_random_below(&life->random, 4);
  soak_life_count(life, SOAK_EVENT_ECHO);
  for (unsigned i = 0; i < count; i++)
    if (!soak_life_expect(life, "send RTP", send_audio(life), PEER_OK))
      return false;
  for (unsigned i = 0; i < count; i++) {
    int result = peer_receive_kind(life->peer, &media, false, CALL_MS);
    if (!soak_life_expect(life, "RTP comes back", result, PEER_OK))
      return false;
    atomic_fetch_add(&life->clients->packets_echoed, 1);
  }
  if (!soak_life_expect(life, "send RTCP", send_report(life), PEER_OK))
    return false;
  int result = peer_receive_kind(life->peer, &media, true, CALL_MS);
  return soak_life_expect(life, "RTCP comes back", result, PEER_OK);
}

/* Long enough for players to find it. */
static bool publish_media(SoakLife *life) {
  unsigned turns = 4 + soak_random_below(&life->random, 12);
  soak_life_count(life, SOAK_EVENT_PUBLISH);
  for (unsigned i = 0; i < turns; i++) {
    int result = send_audio(life);
    if (result == PEER_OK)
      result = send_video(life);
    if (!soak_life_expect(life, "publish", result, PEER_OK))
      return false;
    soak_pause_ms(1 + soak_random_below(&life->random, 10));
  }
  return soak_life_expect(life, "send RTCP", send_report(life), PEER_OK);
}

/* Its publisher may have gone: then nothing comes, and that is right. */
static bool play_media(SoakLife *life) {
  PeerMedia media;
  soak_life_count(life, SOAK_EVENT_PLAY);
  unsigned wanted = 1 + soak_random_below(&life->random, 20);
  int result = PEER_OK;
  for (unsigned i = 0; i < wanted && result == PEER_OK; i++) {
    result = peer_receive_media(life->peer, &media, PLAY_MS);
    if (result == PEER_OK)
      atomic_fetch_add(&life->clients->packets_played, 1);
  }
  return result == PEER_TIMEOUT || soak_life_expect(life, "play", result, PEER_OK);
}

bool soak_life_media(SoakLife *life) {
  if (life->plan.fills_queue) {
    soak_life_count(life, SOAK_EVENT_FULL_QUEUE);
    return true; /* nothing is read from here on */
  }
  switch (life->plan.role) {
  case SOAK_ROLE_PUBLISHER:
    return publish_media(life);
  case SOAK_ROLE_PLAYER:
    return play_media(life);
  default:
    return echo_media(life);
  }
}
