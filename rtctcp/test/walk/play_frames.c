/* What comes of the peers' frames: STUN, DTLS, media, and odd ones. */
#include "walk/play.h"

#include "support/stun_message.h"

#include <stdio.h>
#include <string.h>

#define MEDIA_LEN_MAX   1000
#define FRAME_BIG       2048
#define PEER_PRIORITY   0x6e7f1e00 /* with the lowest octet left to the events */
#define STUN_LAST_OCTET 1

/* A new frame can begin. */
static bool can_begin(const Place *at) {
  return walk_place_is_live(at) && !walk_place_is_unclear(at) && at->walk_conn->out_len == 0 &&
         at->model_conn->owed_count < MODEL_OWED_MAX - 1;
}

static bool can_serve(const Place *at) {
  return can_begin(at) && at->model_conn->state == MODEL_CONN_PACKETS;
}

static void send_frame(const Place *at, const ModelFrame *frame, const uint8_t *packet,
                       size_t len) {
  walk_conn_send(at->walk, at->conn, frame, packet, len, at->event->cut);
}

/* -- STUN -- */

/* An attached conn speaks of its own session, mostly. */
static int bind_session(const Place *at) {
  bool other = walk_event_bind(at->event) == WALK_BIND_OTHER;
  return at->model_conn->state == MODEL_CONN_PACKETS && !other ? at->session : at->event->session;
}

static ModelFrame bind_frame(const Place *at, int session) {
  const ModelSession *s = &at->walk->model.sessions[session];
  WalkBind way = walk_event_bind(at->event);
  ModelFrame frame = {.kind = MODEL_FRAME_BIND,
                      .session = session,
                      .serial = way == WALK_BIND_UNKNOWN ? 0 : s->serial,
                      .generation = s->current,
                      .wrong_password = way == WALK_BIND_WRONG_PASSWORD,
                      .controlled = way == WALK_BIND_CONTROLLED,
                      .nominates = walk_event_nominates(at->event),
                      .priority = walk_event_priority(at->event)};
  if (way == WALK_BIND_PENDING && s->pending != MODEL_NONE)
    frame.generation = s->pending;
  if (way == WALK_BIND_OLD && s->generation > 0)
    frame.generation = s->generation - 1;
  return frame;
}

static void write_request(const Place *at, const ModelFrame *frame, StunPacket *request) {
  const WalkIce *ice =
      &at->walk->sessions[frame->session].ice[frame->generation % WALK_GENERATIONS_KEPT];
  uint8_t number[8] = {PEER_PRIORITY >> 24, PEER_PRIORITY >> 16 & 0xff, PEER_PRIORITY >> 8 & 0xff,
                       (uint8_t)frame->priority};
  char username[2 * RTC_SDP_CREDENTIAL_MAX];
  snprintf(username, sizeof username, "%s:%s", frame->serial ? ice->ufrag : "000nobody",
           ice->remote_ufrag);
  stun_begin(request, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(request, STUN_USERNAME, username);
  stun_add(request, STUN_PRIORITY, number, 4);
  stun_add(request, frame->controlled ? STUN_ICE_CONTROLLED : STUN_ICE_CONTROLLING, number, 8);
  if (frame->nominates)
    stun_add(request, STUN_USE_CANDIDATE, NULL, 0);
  stun_add_integrity(request, frame->wrong_password ? "another" : ice->pwd);
  stun_add_fingerprint(request);
}

bool walk_play_bind(Place *at) {
  int session = bind_session(at);
  StunPacket request;
  if (!can_begin(at) || !at->walk->model.sessions[session].used)
    return false;
  ModelFrame frame = bind_frame(at, session);
  if (frame.generation > at->walk->sessions[session].generation)
    return false; /* a callback of this turn will make them */
  write_request(at, &frame, &request);
  send_frame(at, &frame, request.octets, request.len);
  return true;
}

/* -- DTLS -- */

bool walk_play_dtls(Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  const WalkDatagram *datagram = can_serve(at) ? walk_peer_next(peer) : NULL;
  if (!datagram)
    return false;
  const ModelFrame frame = {
      .kind = MODEL_FRAME_DTLS, .flight = peer->flight_number, .datagram = peer->next++};
  send_frame(at, &frame, datagram->data, datagram->len);
  return true;
}

bool walk_play_retransmit(Place *at) {
  WalkPeer *peer = &at->walk->sessions[at->event->session].peer;
  if (!model_alive(&at->walk->model, at->event->session) || peer->next == 0)
    return false;
  walk_peer_retransmit(peer);
  return true;
}

/* In clear an alert is heard until the peer has made its final flight; sealed, when there are keys.
 */
static bool play_alert(Place *at, bool fatal) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t record[WALK_MEDIA_MAX];
  if (!can_serve(at) || at->model_session->keys != walk_peer_connected(peer))
    return false;
  if (!at->model_session->keys && peer->final)
    return false;
  const ModelFrame frame = {.kind = fatal ? MODEL_FRAME_FATAL_ALERT : MODEL_FRAME_CLOSE_NOTIFY};
  size_t len = walk_peer_alert(peer, fatal, record);
  walk_conn_send(at->walk, at->conn, &frame, record, len, 0);
  return true;
}

bool walk_play_close_notify(Place *at) {
  return play_alert(at, false);
}

bool walk_play_fatal_alert(Place *at) {
  return play_alert(at, true);
}

/* -- Media -- */

bool walk_play_media(Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t packet[WALK_MEDIA_MAX];
  bool rtcp = at->event->choice % 4 == 0;
  if (!can_serve(at) || !walk_peer_connected(peer))
    return false;
  const ModelFrame frame = {.kind = rtcp ? MODEL_FRAME_RTCP : MODEL_FRAME_RTP};
  size_t len = walk_peer_media(peer, rtcp, at->event->more % MEDIA_LEN_MAX, packet);
  send_frame(at, &frame, packet, len);
  if (!rtcp && at->walk_conn->out_len == 0 && at->model_session->keys) {
    memcpy(peer->media, packet, len);
    peer->media_len = len;
  }
  return true;
}

/* -- Odd frames -- */

static bool send_odd(const Place *at, ModelFrameKind kind, const uint8_t *packet, size_t len) {
  send_frame(at, &(ModelFrame){.kind = kind}, packet, len);
  return true;
}

static bool send_odd_stun(const Place *at, ModelFrameKind kind) {
  StunPacket packet;
  stun_begin(&packet, kind == MODEL_FRAME_INDICATION ? STUN_TYPE_BINDING_INDICATION
                                                     : STUN_TYPE_BINDING_REQUEST);
  stun_add_fingerprint(&packet);
  if (kind == MODEL_FRAME_BAD_STUN)
    packet.octets[packet.len - STUN_LAST_OCTET] ^= 1;
  return send_odd(at, kind, packet.octets, packet.len);
}

static bool send_odd_media(const Place *at) {
  WalkPeer *peer = &at->walk_session->peer;
  uint8_t packet[WALK_MEDIA_MAX];
  if (at->model_conn->state != MODEL_CONN_PACKETS)
    return false;
  if (at->event->choice & 8 && peer->media_len > 0)
    return send_odd(at, MODEL_FRAME_REPLAYED_MEDIA, peer->media, peer->media_len);
  size_t len = walk_peer_media(peer, false, at->event->more % MEDIA_LEN_MAX, packet);
  packet[len - 1] ^= 1;
  return send_odd(at, MODEL_FRAME_FORGED_MEDIA, packet, len);
}

/* An indication behind a frame that has ended the TCP conn, or behind what has waited for the peer:
 * it says nothing to anybody. */
static bool may_add_indication(const Place *at) {
  return at->walk->turn_conn == at->conn && at->model_conn->state != MODEL_CONN_FIRST_FRAME &&
         at->walk_conn->fd >= 0 && !at->walk_conn->fin && at->walk_conn->out_len == 0 &&
         at->event->cut == 0;
}

bool walk_play_odd(Place *at) {
  static const uint8_t zeros[RTC_FRAME_LEN_MAX];
  uint8_t packet[64] = {0};
  if (!can_begin(at))
    return may_add_indication(at) && send_odd_stun(at, MODEL_FRAME_INDICATION);
  switch (at->event->choice % 8) {
  case 0:
    return send_odd_stun(at, MODEL_FRAME_INDICATION);
  case 1:
    return send_odd_stun(at, MODEL_FRAME_BAD_STUN);
  case 2:
    packet[0] = 22;
    return send_odd(at, MODEL_FRAME_BAD_DTLS, packet, sizeof packet);
  case 3:
  case 4:
    return send_odd_media(at);
  case 5:
    return send_odd(at, MODEL_FRAME_UNKNOWN, packet, 0);
  case 6:
    packet[0] = 0x50;
    return send_odd(at, MODEL_FRAME_UNKNOWN, packet, sizeof packet);
  default: /* as long as can be; of too few octets for STUN, or of its type and nothing else */
    if (at->model_conn->state != MODEL_CONN_PACKETS)
      return send_odd(at, MODEL_FRAME_UNKNOWN, zeros, 19);
    memcpy(packet, zeros, sizeof packet);
    return send_odd(at, MODEL_FRAME_BAD_STUN, zeros, FRAME_BIG + at->event->more % 60000u);
  }
}
