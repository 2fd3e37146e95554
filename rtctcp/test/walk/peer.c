/* The walk's peer: the tests' peer, whose DTLS writes into memory. */
#include "walk/peer.h"

#include "support/peer_internal.h"
#include "support/rtp.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_HEADER_LEN  ((size_t)13)
#define EPOCH_AT           3
#define SEQUENCE_AT        7 /* its lower half */
#define CHANGE_CIPHER_SPEC 20
#define ALERT              21
#define HANDSHAKE          22
#define HANDSHAKE_TYPE_AT  13
#define CERTIFICATE        11
#define PEER_SSRC          UINT32_C(0x5eed)
#define RTCP_LEN_MIN       ((size_t)8)
#define PROTECTION_MAX     ((size_t)64)
#define SAMPLES_OF_20MS    960

bool walk_peer_init(WalkPeer *peer, bool passive, size_t mtu) {
  memset(peer, 0, sizeof *peer);
  const PeerConfig config = {.setup = passive ? RTC_SETUP_PASSIVE : RTC_SETUP_ACTIVE,
                             .mtu = mtu,
                             .retransmit_ms = 1000 * 1000}; /* the walk retransmits */
  peer->dtls = peer_new(&config);
  return peer->dtls;
}

static void drop_flight(WalkPeer *peer) {
  for (size_t i = 0; i < peer->flight_count; i++)
    free(peer->flight[i].data);
  peer->flight_count = peer->next = peer->in_order = 0;
  peer->delivered = 0;
  peer->final = false;
}

void walk_peer_finish(WalkPeer *peer) {
  drop_flight(peer);
  peer_destroy(peer->dtls);
  memset(peer, 0, sizeof *peer);
}

void walk_peer_transport(const WalkPeer *peer, RtcSdpTransport *transport) {
  peer_local_transport(peer->dtls, transport);
}

/* -- DTLS -- */

static size_t record_len(const uint8_t *record) {
  return RECORD_HEADER_LEN + (size_t)(record[11] << 8 | record[12]);
}

/* In clear a record's number is free: a flight that is sent once more has new ones, so OpenSSL's
 * are not good any more. A sealed one can only be given again as it is. */
static void number_record(WalkPeer *peer, uint8_t *record) {
  if (record[EPOCH_AT] == 0 && record[EPOCH_AT + 1] == 0)
    rtp_write32(record + SEQUENCE_AT, peer->records++);
}

static bool add_datagram(WalkPeer *peer, const uint8_t *record) {
  WalkDatagram *datagram = &peer->flight[peer->flight_count];
  if (peer->flight_count == WALK_FLIGHT_MAX)
    return false;
  datagram->len = record_len(record);
  datagram->data = malloc(datagram->len);
  if (!datagram->data)
    return false;
  memcpy(datagram->data, record, datagram->len);
  number_record(peer, datagram->data);
  peer->flight_count++;
  peer->final |= record[0] == CHANGE_CIPHER_SPEC;
  return true;
}

/* What OpenSSL has written is the next flight. */
static void take_flight(WalkPeer *peer) {
  uint8_t *data;
  long len = BIO_get_mem_data((BIO *)peer->output, &data);
  if (len > 0 && data[0] != ALERT) {
    drop_flight(peer);
    peer->flight_number++;
    for (long at = 0; at < len; at += (long)record_len(data + at))
      if (!add_datagram(peer, data + at))
        abort();
  }
  (void)BIO_reset((BIO *)peer->output);
}

static void drive(WalkPeer *peer) {
  RtcPeer *dtls = peer->dtls;
  uint8_t data[256];
  ERR_clear_error();
  if (!dtls->connected && SSL_do_handshake(dtls->ssl) == 1) {
    dtls->connected = true;
    if (peer_srtp_start(dtls) != PEER_OK)
      abort();
  }
  while (dtls->connected && SSL_read(dtls->ssl, data, sizeof data) > 0)
    ;
  ERR_clear_error();
  take_flight(peer);
}

bool walk_peer_start(WalkPeer *peer, const RtcSdpTransport *answer) {
  RtcPeer *dtls = peer->dtls;
  if (peer_set_remote(dtls, answer) != PEER_OK)
    return false;
  BIO *input = BIO_new(BIO_s_mem()), *output = BIO_new(BIO_s_mem());
  if (!input || !output)
    return false;
  SSL_set_bio(dtls->ssl, input, output);
  peer->input = input;
  peer->output = output;
  drive(peer);
  return true;
}

void walk_peer_input(WalkPeer *peer, const uint8_t *datagram, size_t len) {
  /* OpenSSL reads a memory BIO to its end: one record at a time. */
  for (size_t at = 0; len - at >= RECORD_HEADER_LEN && record_len(datagram + at) <= len - at;
       at += record_len(datagram + at)) {
    BIO_write((BIO *)peer->input, datagram + at, (int)record_len(datagram + at));
    drive(peer);
  }
}

/* As a peer's timer would: the messages once more. */
void walk_peer_retransmit(WalkPeer *peer) {
  for (size_t i = 0; i < peer->flight_count; i++)
    number_record(peer, peer->flight[i].data);
  peer->next = peer->in_order = 0;
}

const WalkDatagram *walk_peer_next(const WalkPeer *peer) {
  return peer->next < peer->flight_count ? &peer->flight[peer->next] : NULL;
}

static bool is_certificate(const WalkDatagram *datagram) {
  return datagram->data[0] == HANDSHAKE && datagram->len > HANDSHAKE_TYPE_AT &&
         datagram->data[HANDSHAKE_TYPE_AT] == CERTIFICATE;
}

void walk_peer_delivered(WalkPeer *peer, unsigned flight, size_t datagram) {
  if (flight != peer->flight_number) {
    peer->late_delivered = true;
    return;
  }
  peer->delivered |= UINT32_C(1) << datagram;
  if (datagram == peer->in_order)
    peer->in_order++;
  peer->certified |= is_certificate(&peer->flight[datagram]);
}

bool walk_peer_connected(const WalkPeer *peer) {
  return peer->dtls->connected;
}

bool walk_peer_notified(const WalkPeer *peer) {
  return peer_close_notify_received(peer->dtls);
}

bool walk_peer_may_connect(const WalkPeer *peer) {
  uint32_t all = (uint32_t)((UINT64_C(1) << peer->flight_count) - 1);
  return peer->final && (peer->delivered == all || peer->late_delivered);
}

bool walk_peer_must_connect(const WalkPeer *peer) {
  return peer->final && peer->in_order == peer->flight_count;
}

bool walk_peer_must_know(const WalkPeer *peer) {
  return peer->certified && peer->in_order == peer->flight_count;
}

size_t walk_peer_alert(WalkPeer *peer, bool fatal, uint8_t record[WALK_MEDIA_MAX]) {
  return peer_alert_seal(peer->dtls, fatal ? SSL3_AL_FATAL : SSL3_AL_WARNING,
                         fatal ? SSL_AD_INTERNAL_ERROR : SSL_AD_CLOSE_NOTIFY, record);
}

/* -- Media -- */

size_t walk_peer_media(WalkPeer *peer, bool rtcp, size_t payload_len,
                       uint8_t packet[WALK_MEDIA_MAX]) {
  const RtpHeader header = {.payload_type = 111,
                            .sequence = ++peer->sequence,
                            .timestamp = (uint32_t)peer->sequence * SAMPLES_OF_20MS,
                            .ssrc = PEER_SSRC};
  size_t len =
      rtcp ? rtcp_write_rr(packet, PEER_SSRC) : rtp_write_opus(packet, &header, payload_len);
  if (walk_peer_connected(peer)) {
    if (peer_protect(peer->dtls, rtcp, packet, &len, WALK_MEDIA_MAX) != PEER_OK)
      return 0;
    return len;
  }
  memset(packet + len, 0x5a, PROTECTION_MAX); /* as long as if it were protected */
  return len + PROTECTION_MAX;
}

bool walk_peer_open(WalkPeer *peer, const uint8_t *packet, size_t len, uint16_t *sequence,
                    uint32_t *ssrc) {
  uint8_t copy[WALK_MEDIA_MAX];
  RtpHeader header;
  int octets = (int)len;
  if (!peer->dtls->srtp_in || len > sizeof copy || len < RTCP_LEN_MIN)
    return false;
  memcpy(copy, packet, len);
  if (packet[1] >= 192 && packet[1] <= 223)
    return srtp_unprotect_rtcp(peer->dtls->srtp_in, copy, &octets) == srtp_err_status_ok;
  srtp_err_status_t status = srtp_unprotect(peer->dtls->srtp_in, copy, &octets);
  /* What waited in a TCP conn that was not read comes behind what took another one. */
  if (status == srtp_err_status_replay_old)
    return true;
  if (status != srtp_err_status_ok || !rtp_read(copy, (size_t)octets, &header))
    return false;
  *sequence = header.sequence;
  *ssrc = header.ssrc;
  return true;
}
