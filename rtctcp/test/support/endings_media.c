/* What a cell's session carries: load, a full queue, half a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/endings.h"
#include "support/rtp.h"

#include "transport/rtc_connection_internal.h"

#include <string.h>

#define PACKET_LEN     ((size_t)1900) /* of video [octets] */
#define PACKETS_MAX    4000           /* more than a send queue holds */
#define BURST          16             /* packets of load at once */
#define SSRC_OF_STREAM UINT32_C(0x0e0d1e0d)
#define SSRC_OF_PEER   UINT32_C(0x0e0d1e0e)

/* -- The host's -- */

static RtcError send_from_host(EndingsCell *cell, RtcConnection *connection, RtcMedia media,
                               size_t payload_len, unsigned flags) {
  static const uint8_t payload[PACKET_LEN];
  uint8_t octets[RTP_HEADER_LEN + PACKET_LEN];
  const RtpHeader header = {.payload_type = 1, .ssrc = 1};
  RtcPacket *packet;
  size_t len = rtp_write(octets, &header, payload, payload_len);
  RtcError error = rtc_packet_new(&packet, octets, len);
  if (error)
    return error;
  unsigned kind = media == RTC_MEDIA_VIDEO ? RTC_SEND_FRAME_START | flags : 0;
  error = rtc_connection_send_rtp(connection, cell->stream, packet, kind, 0);
  rtc_packet_unref(&packet);
  return error;
}

static void want_keyframe(void *arg) {
  EndingsCell *cell = arg;
  cell->after_closed += host_state(cell->session) == RTC_CONNECTION_STATE_CLOSED;
  if (cell->moment == MOMENT_INSIDE_KEYFRAME_WANTED)
    endings_hold(cell);
}

static RtcError add_stream(EndingsCell *cell, RtcConnection *connection, RtcMedia media) {
  const RtcStreamConfig config = {.media = media,
                                  .ssrc = SSRC_OF_STREAM,
                                  .payload_type = 96,
                                  .clock_rate = 90000,
                                  .on_keyframe_wanted = want_keyframe,
                                  .arg = cell};
  return rtc_connection_add_stream(&cell->stream, connection, &config);
}

void endings_host_load(EndingsCell *cell, RtcConnection *connection) {
  RtcError error = cell->stream ? RTC_OK : add_stream(cell, connection, RTC_MEDIA_AUDIO);
  for (int i = 0; !error && i < BURST; i++) /* CLOSED, once it is */
    error = send_from_host(cell, connection, RTC_MEDIA_AUDIO, 200, 0);
}

void endings_load_on_worker(void *arg) {
  EndingsCell *cell = arg;
  endings_host_load(cell, cell->session->connection);
}

void endings_send_from_peer(EndingsCell *cell, bool rtcp) {
  uint8_t packet[256];
  const RtpHeader header = {
      .payload_type = 111, .sequence = cell->sequence++, .ssrc = SSRC_OF_PEER};
  size_t len = rtcp ? rtcp_write_rr(packet, SSRC_OF_PEER) : rtp_write_opus(packet, &header, 80);
  if (rtcp)
    (void)peer_send_rtcp(cell->session->peer, packet, len);
  else
    (void)peer_send_rtp(cell->session->peer, packet, len);
}

void endings_peer_load(EndingsCell *cell) {
  for (int i = 0; i < BURST; i++) /* they fail, once it has no conn */
    endings_send_from_peer(cell, i % 8 == 0);
}

/* Video up to what the queue holds, but no more: nothing is dropped. */
void endings_fill_queue(void *arg) {
  EndingsCell *cell = arg;
  RtcConnection *connection = cell->session->connection;
  const size_t limit = rtc_send_limits_default.octets;
  RtcError error = cell->stream ? RTC_OK : add_stream(cell, connection, RTC_MEDIA_VIDEO);
  unsigned flags = RTC_SEND_KEYFRAME;
  while (!error && connection->send_queue.octets + 2 * PACKET_LEN < limit) {
    error = send_from_host(cell, connection, RTC_MEDIA_VIDEO, PACKET_LEN, flags);
    flags = 0;
  }
}

void endings_note_queued(void *arg) {
  EndingsCell *cell = arg;
  cell->queued = cell->session->connection->send_queue.octets;
}

/* The callback comes from inside a send, when the queue is over its limit. */
void endings_overfill_queue(void *arg) {
  EndingsCell *cell = arg;
  RtcConnection *connection = rtc_connection_ref(cell->session->connection);
  RtcError error = add_stream(cell, connection, RTC_MEDIA_VIDEO);
  unsigned flags = RTC_SEND_KEYFRAME;
  for (int i = 0; !error && !cell->was_held && i < PACKETS_MAX; i++) {
    error = send_from_host(cell, connection, RTC_MEDIA_VIDEO, PACKET_LEN, flags);
    flags = 0;
  }
  rtc_connection_unref(&connection);
}

/* -- Half a frame -- */

static void send_half(EndingsCell *cell, const uint8_t *octets, size_t len) {
  uint8_t frame[2 + PEER_MEDIA_MAX];
  rtp_write16(frame, (uint16_t)len);
  memcpy(frame + 2, octets, len);
  size_t half = (2 + len) / 2;
  cell->rest_len = 2 + len - half;
  memcpy(cell->rest, frame + half, cell->rest_len);
  assert_int_equal(peer_send_raw(cell->session->peer, 0, frame, half), PEER_OK);
}

void endings_send_half_request(EndingsCell *cell) {
  uint8_t request[PEER_STUN_MAX];
  int len = peer_make_request(cell->session->peer, 0, PEER_USE_CANDIDATE, request);
  assert_true(len > 0);
  send_half(cell, request, (size_t)len);
}

void endings_send_half_packet(EndingsCell *cell) {
  uint8_t packet[256];
  const RtpHeader header = {
      .payload_type = 111, .sequence = cell->sequence++, .ssrc = SSRC_OF_PEER};
  size_t len = rtp_write_opus(packet, &header, 80);
  assert_int_equal(peer_protect(cell->session->peer, false, packet, &len, sizeof packet), PEER_OK);
  send_half(cell, packet, len);
}
