/* The test peer itself: two of them back to back over loopback TCP, and one against answers that
 * are wrong on purpose. One thread: each step's octets fit the kernel's buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/descriptors.h"
#include "support/peer.h"
#include "support/rtp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stun/stunagent.h>
#include <stun/usages/bind.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROFILE_CM      "SRTP_AES128_CM_SHA1_80"
#define PROFILE_GCM_128 "SRTP_AEAD_AES_128_GCM"
#define PROFILE_GCM_256 "SRTP_AEAD_AES_256_GCM"

#define SSRC 0x11223344u

typedef struct Pair {
  int listener;
  const char *address;
  uint16_t port;
  RtcPeer *active;  /* owned: connects and controls */
  RtcPeer *passive; /* owned: adopts what was accepted */
  size_t descriptors_before;
} Pair;

/* -- Fixture -- */

static int listen_on(const char *address, uint16_t *port) {
  struct sockaddr_storage name = {0};
  struct sockaddr_in *v4 = (struct sockaddr_in *)&name;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name;
  socklen_t len = sizeof name;
  bool is_v6 = inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
  if (!is_v6)
    assert_int_equal(inet_pton(AF_INET, address, &v4->sin_addr), 1);
  name.ss_family = is_v6 ? AF_INET6 : AF_INET;
  int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&name, is_v6 ? sizeof *v6 : sizeof *v4), 0);
  assert_int_equal(listen(fd, 16), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
  *port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
  return fd;
}

static void pair_init(Pair *pair, const char *address, const PeerConfig *active,
                      const PeerConfig *passive) {
  RtcSdpTransport offer, answer;
  memset(pair, 0, sizeof *pair);
  pair->descriptors_before = descriptors_open();
  pair->address = address;
  pair->listener = listen_on(address, &pair->port);
  pair->active = peer_new(active);
  pair->passive = peer_new(passive);
  assert_non_null(pair->active);
  assert_non_null(pair->passive);
  peer_local_transport(pair->active, &offer);
  peer_local_transport(pair->passive, &answer);
  bool answers_active = offer.setup == RTC_SETUP_PASSIVE;
  answer.setup = answers_active ? RTC_SETUP_ACTIVE : RTC_SETUP_PASSIVE;
  offer.setup = answers_active ? RTC_SETUP_PASSIVE : RTC_SETUP_ACTIVE;
  assert_int_equal(peer_set_remote(pair->active, &answer), PEER_OK);
  assert_int_equal(peer_set_remote(pair->passive, &offer), PEER_OK);
}

static void pair_finish(Pair *pair) {
  peer_destroy(pair->active);
  peer_destroy(pair->passive);
  close(pair->listener);
  assert_int_equal(descriptors_open(), pair->descriptors_before);
}

static void pair_accept(Pair *pair, int conn) {
  int fd = accept4(pair->listener, NULL, NULL, SOCK_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal(peer_adopt(pair->passive, conn, fd), PEER_OK);
}

static void pair_connect(Pair *pair, int conn) {
  assert_int_equal(peer_connect_conn(pair->active, conn, pair->address, pair->port), PEER_OK);
  pair_accept(pair, conn);
}

/* Lets the passive peer answer what has come. */
static void serve(RtcPeer *peer, int timeout_ms) {
  PeerMedia media;
  assert_int_equal(peer_receive_media(peer, &media, timeout_ms), PEER_TIMEOUT);
}

static int pair_bind(Pair *pair, int conn, unsigned flags) {
  assert_int_equal(peer_send_request(pair->active, conn, flags), PEER_OK);
  int result = PEER_TIMEOUT;
  for (int turn = 0; turn < 500 && result == PEER_TIMEOUT; turn++) {
    serve(pair->passive, 2);
    result = peer_await_response(pair->active, conn, 0);
  }
  return result;
}

static void pair_handshake(Pair *pair) {
  RtcPeer *client = pair->active, *server = pair->passive;
  RtcSdpTransport offer;
  peer_local_transport(pair->active, &offer);
  if (offer.setup == RTC_SETUP_PASSIVE) {
    client = pair->passive;
    server = pair->active;
  }
  assert_int_equal(peer_handshake_step(client, PEER_TIMEOUT_MS), PEER_OK); /* ClientHello */
  assert_int_equal(peer_handshake_step(server, PEER_TIMEOUT_MS), PEER_OK); /* ServerHello ... */
  assert_int_equal(peer_handshake_step(client, PEER_TIMEOUT_MS), PEER_OK); /* Finished */
  assert_false(peer_connected(client));
  assert_int_equal(peer_handshake_step(server, PEER_TIMEOUT_MS), PEER_OK); /* Finished */
  assert_true(peer_connected(server));
  assert_int_equal(peer_handshake_step(client, PEER_TIMEOUT_MS), PEER_OK);
  assert_true(peer_connected(client));
}

/* An established pair of defaults. */
static void pair_establish(Pair *pair) {
  pair_init(pair, "127.0.0.1", NULL, NULL);
  pair_connect(pair, 0);
  assert_int_equal(pair_bind(pair, 0, PEER_USE_CANDIDATE), 0);
  pair_handshake(pair);
}

static void assert_media_passes(RtcPeer *from, RtcPeer *to, uint16_t sequence) {
  uint8_t packet[200];
  PeerMedia media;
  const RtpHeader header = {.payload_type = 96, .sequence = sequence, .ssrc = SSRC};
  size_t len = rtp_write_vp8(packet, &header, true, true, 100);
  assert_int_equal(peer_send_rtp(from, packet, len), PEER_OK);
  assert_int_equal(peer_receive_media(to, &media, PEER_TIMEOUT_MS), PEER_OK);
  assert_false(media.rtcp);
  assert_int_equal(media.len, len);
  assert_memory_equal(media.data, packet, len);
  len = rtcp_write_pli(packet, 1, SSRC);
  assert_int_equal(peer_send_rtcp(from, packet, len), PEER_OK);
  assert_int_equal(peer_receive_kind(to, &media, true, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(media.len, len);
  assert_memory_equal(media.data, packet, len);
}

/* -- Frames -- */

/* A request goes out as one RFC 4571 frame with a STUN message of that length in it. */
static void request_is_framed(void **state) {
  (void)state;
  Pair pair;
  uint8_t octets[PEER_STUN_MAX];
  pair_init(&pair, "127.0.0.1", NULL, NULL);
  pair_connect(&pair, 0);
  assert_int_equal(peer_send_request(pair.active, 0, 0), PEER_OK);
  ssize_t got = recv(peer_fd(pair.passive, 0), octets, 22, MSG_WAITALL);
  assert_int_equal(got, 22);
  static const uint8_t cookie[] = {0x21, 0x12, 0xa4, 0x42};
  assert_int_equal(rtp_read16(octets), rtp_read16(octets + 4) + 20);
  assert_int_equal(rtp_read16(octets + 2), 0x0001);
  assert_memory_equal(octets + 6, cookie, sizeof cookie);
  pair_finish(&pair);
}

/* Frames that arrive octet by octet, in one piece, or empty are told apart by their headers. */
static void frames_are_cut_by_their_headers(void **state) {
  (void)state;
  Pair pair;
  static const uint8_t octets[] = {0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};
  static const size_t lens[] = {3, 0, 1};
  uint8_t frame[8];
  size_t len;
  pair_init(&pair, "127.0.0.1", NULL, NULL);
  pair_connect(&pair, 0);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(peer_send_raw(pair.active, 0, octets + i, 1), PEER_OK);
    assert_int_equal(peer_receive_frame(pair.passive, 0, frame, sizeof frame, &len, 5),
                     PEER_TIMEOUT);
  }
  assert_int_equal(peer_send_raw(pair.active, 0, octets + 4, sizeof octets - 4), PEER_OK);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(peer_receive_frame(pair.passive, 0, frame, sizeof frame, &len, 1000), PEER_OK);
    assert_int_equal(len, lens[i]);
  }
  assert_int_equal(frame[0], 'd');
  pair_finish(&pair);
}

/* -- STUN -- */

/* A request is answered and all of the answer checks, on IPv4 and IPv6. */
static void request_is_answered_on_both_families(void **state) {
  (void)state;
  static const char *const addresses[] = {"127.0.0.1", "::1"};
  for (size_t i = 0; i < 2; i++) {
    Pair pair;
    pair_init(&pair, addresses[i], NULL, NULL);
    pair_connect(&pair, 0);
    assert_int_equal(pair_bind(&pair, 0, 0), 0);
    pair_finish(&pair);
  }
}

/* Each wrong request is wrong in the way that its flag says: another STUN agent finds it so. */
static void wrong_requests_are_refused(void **state) {
  (void)state;
  static const struct {
    unsigned flags;
    int answer;
  } cases[] = {
      {PEER_NO_USERNAME, 400},    {PEER_UNKNOWN_UFRAG, 401},   {PEER_WRONG_OWN_UFRAG, 401},
      {PEER_NO_INTEGRITY, 400},   {PEER_BAD_INTEGRITY, 401},   {PEER_UNKNOWN_REQUIRED, 420},
      {PEER_NO_FINGERPRINT, 400}, {PEER_BAD_FINGERPRINT, 400},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Pair pair;
    pair_init(&pair, "127.0.0.1", NULL, NULL);
    pair_connect(&pair, 0);
    int answer = pair_bind(&pair, 0, cases[i].flags);
    if (answer != cases[i].answer)
      fail_msg("flags %x: %d", cases[i].flags, answer);
    pair_finish(&pair);
  }
}

typedef enum Fault {
  FAULT_NONE,
  FAULT_NO_INTEGRITY,
  FAULT_OTHER_KEY,
  FAULT_NO_FINGERPRINT,
  FAULT_FINGERPRINT,
  FAULT_TRANSACTION,
  FAULT_ADDRESS,
  FAULT_NO_ADDRESS,
  FAULT_COUNT,
} Fault;

static void append_mapped(StunMessage *message, int fd, Fault fault) {
  struct sockaddr_storage from = {0};
  socklen_t len = sizeof from;
  assert_int_equal(getpeername(fd, (struct sockaddr *)&from, &len), 0);
  if (fault == FAULT_ADDRESS)
    ((struct sockaddr_in *)&from)->sin_port ^= 1;
  assert_int_equal(
      stun_message_append_xor_addr(message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &from, len),
      STUN_MESSAGE_RETURN_SUCCESS);
}

/* Answers request with everything right but one fault. */
static size_t write_answer(const uint8_t *request, int fd, const char *pwd, Fault fault,
                           uint8_t *answer, size_t cap) {
  static const uint16_t known[] = {0};
  StunAgent *agent = calloc(1, sizeof *agent);
  StunMessage message;
  StunTransactionId transaction;
  assert_non_null(agent);
  stun_agent_init(agent, known, STUN_COMPATIBILITY_RFC5389,
                  STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS |
                      (fault == FAULT_NO_FINGERPRINT ? 0 : STUN_AGENT_USAGE_USE_FINGERPRINT));
  message = (StunMessage){.agent = agent, .buffer = answer, .buffer_len = cap};
  memcpy(transaction, request + 4, sizeof transaction);
  if (fault == FAULT_TRANSACTION)
    transaction[15] ^= 1;
  assert_true(stun_message_init(&message, STUN_RESPONSE, STUN_BINDING, transaction));
  if (fault != FAULT_NO_ADDRESS)
    append_mapped(&message, fd, fault);
  const char *key = fault == FAULT_OTHER_KEY ? "anotherKeyThanTheSession" : pwd;
  size_t key_len = fault == FAULT_NO_INTEGRITY ? 0 : strlen(key);
  size_t len =
      stun_agent_finish_message(agent, &message, key_len ? (const uint8_t *)key : NULL, key_len);
  free(agent);
  assert_true(len > 0);
  if (fault == FAULT_FINGERPRINT)
    answer[len - 1] ^= 1;
  return len;
}

/* Every part of an answer is looked at: with one thing wrong it is refused, else accepted. */
static void faulty_answers_are_found(void **state) {
  (void)state;
  for (Fault fault = FAULT_NONE; fault < FAULT_COUNT; fault++) {
    Pair pair;
    RtcSdpTransport transport;
    uint8_t request[PEER_STUN_MAX], answer[PEER_STUN_MAX];
    size_t len;
    pair_init(&pair, "127.0.0.1", NULL, NULL);
    pair_connect(&pair, 0);
    peer_local_transport(pair.passive, &transport);
    assert_int_equal(peer_send_request(pair.active, 0, 0), PEER_OK);
    assert_int_equal(
        peer_receive_frame(pair.passive, 0, request, sizeof request, &len, PEER_TIMEOUT_MS),
        PEER_OK);
    len = write_answer(request, peer_fd(pair.passive, 0), transport.pwd, fault, answer,
                       sizeof answer);
    assert_int_equal(peer_send_frame(pair.passive, 0, answer, len), PEER_OK);
    int result = peer_await_response(pair.active, 0, PEER_TIMEOUT_MS);
    if (result != (fault == FAULT_NONE ? PEER_OK : PEER_BAD))
      fail_msg("fault %d: %d", (int)fault, result);
    pair_finish(&pair);
  }
}

/* What comes on a conn before its binding response is an offence of the other side. */
static void packets_before_the_binding_response_are_noticed(void **state) {
  (void)state;
  Pair pair;
  static const uint8_t media[20] = {0x80, 96};
  pair_init(&pair, "127.0.0.1", NULL, NULL);
  pair_connect(&pair, 0);
  assert_int_equal(peer_send_request(pair.active, 0, 0), PEER_OK);
  assert_int_equal(peer_send_frame(pair.passive, 0, media, sizeof media), PEER_OK);
  serve(pair.passive, 50);
  assert_int_equal(peer_await_response(pair.active, 0, PEER_TIMEOUT_MS), PEER_EARLY);
  pair_finish(&pair);
}

/* -- DTLS and SRTP -- */

/* Either side may be the DTLS client, with every profile, and with flights cut in fragments. */
static void media_flows_in_every_role_and_profile(void **state) {
  (void)state;
  static const struct {
    RtcSetup setup;
    const char *profiles;
    size_t mtu;
    const char *chosen;
  } cases[] = {
      {RTC_SETUP_ACTPASS, NULL, 0, PROFILE_CM},
      {RTC_SETUP_PASSIVE, NULL, 0, PROFILE_CM},
      {RTC_SETUP_ACTIVE, PROFILE_GCM_128, 0, PROFILE_GCM_128},
      {RTC_SETUP_ACTPASS, PROFILE_GCM_256, 256, PROFILE_GCM_256},
      {RTC_SETUP_PASSIVE, PROFILE_GCM_256, 256, PROFILE_GCM_256},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    Pair pair;
    const PeerConfig active = {
        .setup = cases[i].setup, .srtp_profiles = cases[i].profiles, .mtu = cases[i].mtu};
    const PeerConfig passive = {.mtu = cases[i].mtu};
    pair_init(&pair, "127.0.0.1", &active, &passive);
    pair_connect(&pair, 0);
    pair_handshake(&pair);
    assert_string_equal(peer_srtp_profile(pair.active), cases[i].chosen);
    assert_string_equal(peer_srtp_profile(pair.passive), cases[i].chosen);
    assert_media_passes(pair.active, pair.passive, 1);
    assert_media_passes(pair.passive, pair.active, 1);
    pair_finish(&pair);
  }
}

/* A certificate other than the signalled one ends the handshake on both sides. */
static void wrong_certificate_ends_the_handshake(void **state) {
  (void)state;
  Pair pair;
  RtcSdpTransport answer;
  pair_init(&pair, "127.0.0.1", NULL, NULL);
  peer_local_transport(pair.passive, &answer);
  answer.setup = RTC_SETUP_PASSIVE;
  answer.fingerprints[0].value[31] ^= 1;
  assert_int_equal(peer_set_remote(pair.active, &answer), PEER_OK);
  pair_connect(&pair, 0);
  assert_int_equal(peer_handshake_step(pair.active, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.active, PEER_TIMEOUT_MS), PEER_BAD);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_ALERT);
  assert_true(peer_alert_received(pair.passive) > 0);
  pair_finish(&pair);
}

/* A packet with one bit changed, and one that came before, are told from good ones. */
static void tampered_and_replayed_packets_are_refused(void **state) {
  (void)state;
  Pair pair;
  PeerMedia media;
  uint8_t packet[200];
  const RtpHeader header = {.payload_type = 111, .sequence = 7, .ssrc = SSRC};
  size_t len = rtp_write_opus(packet, &header, 60);
  pair_establish(&pair);
  assert_int_equal(peer_protect(pair.active, false, packet, &len, sizeof packet), PEER_OK);
  packet[20] ^= 1;
  assert_int_equal(peer_send_frame(pair.active, 0, packet, len), PEER_OK);
  packet[20] ^= 1;
  assert_int_equal(peer_send_frame(pair.active, 0, packet, len), PEER_OK);
  assert_int_equal(peer_send_frame(pair.active, 0, packet, len), PEER_OK);
  assert_int_equal(peer_receive_media(pair.passive, &media, PEER_TIMEOUT_MS), PEER_BAD);
  assert_int_equal(peer_receive_media(pair.passive, &media, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_receive_media(pair.passive, &media, PEER_TIMEOUT_MS), PEER_BAD);
  pair_finish(&pair);
}

/* A flight that was lost with its TCP conn is sent again on the next one. */
static void lost_flight_is_sent_again_on_another_conn(void **state) {
  (void)state;
  Pair pair;
  const PeerConfig hasty = {.retransmit_ms = 100};
  pair_init(&pair, "127.0.0.1", &hasty, NULL);
  assert_int_equal(peer_connect(pair.active, pair.address, pair.port), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.active, PEER_TIMEOUT_MS), PEER_OK);
  int lost = accept(pair.listener, NULL, NULL);
  assert_int_equal(close(lost), 0);
  pair_connect(&pair, 0);
  assert_int_equal(peer_handshake_step(pair.active, 300), PEER_TIMEOUT);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.active, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake(pair.active, PEER_TIMEOUT_MS), PEER_OK);
  assert_media_passes(pair.active, pair.passive, 1);
  pair_finish(&pair);
}

/* -- Several conns, and another one -- */

/* DTLS and SRTP go on over a new TCP conn; nothing is negotiated anew. */
static void session_goes_on_over_another_conn(void **state) {
  (void)state;
  Pair pair;
  pair_establish(&pair);
  assert_media_passes(pair.active, pair.passive, 1);
  peer_rst(pair.active, 0);
  pair_connect(&pair, 0);
  assert_int_equal(pair_bind(&pair, 0, PEER_USE_CANDIDATE), 0);
  assert_media_passes(pair.active, pair.passive, 2);
  assert_media_passes(pair.passive, pair.active, 2);
  assert_int_equal(peer_handshakes(pair.active), 1);
  pair_finish(&pair);
}

/* USE-CANDIDATE moves both sides' media to its conn, and the media tells where it came from. */
static void media_follows_the_nomination(void **state) {
  (void)state;
  Pair pair;
  PeerMedia media;
  uint8_t packet[100];
  const RtpHeader header = {.payload_type = 111, .sequence = 9, .ssrc = SSRC};
  size_t len = rtp_write_opus(packet, &header, 60);
  pair_establish(&pair);
  pair_connect(&pair, 1);
  assert_int_equal(pair_bind(&pair, 1, 0), 0);
  assert_int_equal(peer_selected(pair.passive), 0);
  assert_int_equal(pair_bind(&pair, 1, PEER_USE_CANDIDATE), 0);
  assert_int_equal(peer_send_rtp(pair.passive, packet, len), PEER_OK);
  assert_int_equal(peer_receive_media(pair.active, &media, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(media.conn, 1);
  pair_finish(&pair);
}

/* -- Ends -- */

/* close_notify is told before the end of the stream that follows it. */
static void close_notify_is_told_from_a_bare_end(void **state) {
  (void)state;
  for (int notify = 0; notify < 2; notify++) {
    Pair pair;
    PeerMedia media;
    pair_establish(&pair);
    if (notify) {
      assert_int_equal(peer_close_notify(pair.active), PEER_OK);
      assert_int_equal(peer_receive_media(pair.passive, &media, PEER_TIMEOUT_MS), PEER_CLOSED);
    }
    peer_close(pair.active, 0);
    assert_int_equal(peer_wait_closed(pair.passive, 0, PEER_TIMEOUT_MS), PEER_EOF);
    assert_int_equal(peer_close_notify_received(pair.passive), notify);
    pair_finish(&pair);
  }
}

/* A fatal alert sealed by hand is one to OpenSSL: established with each cipher's keys, in the
 * middle of a handshake in clear. */
static void fatal_alert_is_understood(void **state) {
  (void)state;
  Pair pair;
  PeerMedia media;
  pair_establish(&pair);
  assert_int_equal(peer_fatal_alert(pair.active, 80), PEER_OK);
  assert_int_equal(peer_receive_media(pair.passive, &media, PEER_TIMEOUT_MS), PEER_ALERT);
  assert_int_equal(peer_alert_received(pair.passive), 80);
  assert_int_equal(peer_fatal_alert(pair.passive, 40), PEER_OK);
  assert_int_equal(peer_receive_media(pair.active, &media, PEER_TIMEOUT_MS), PEER_ALERT);
  assert_int_equal(peer_alert_received(pair.active), 40);
  pair_finish(&pair);

  pair_init(&pair, "127.0.0.1", NULL, NULL);
  pair_connect(&pair, 0);
  assert_int_equal(peer_handshake_step(pair.active, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_OK);
  assert_int_equal(peer_fatal_alert(pair.active, 47), PEER_OK);
  assert_int_equal(peer_handshake_step(pair.passive, PEER_TIMEOUT_MS), PEER_ALERT);
  assert_int_equal(peer_alert_received(pair.passive), 47);
  pair_finish(&pair);
}

/* FIN at and inside a frame, close and reset are different ends. */
static void ends_of_a_conn_are_told_apart(void **state) {
  (void)state;
  static const uint8_t half[] = {0, 9, 'h'};
  for (int end = 0; end < 4; end++) {
    Pair pair;
    static const int results[] = {PEER_EOF, PEER_CUT, PEER_EOF, PEER_RESET};
    pair_init(&pair, "127.0.0.1", NULL, NULL);
    pair_connect(&pair, 0);
    assert_int_equal(peer_wait_closed(pair.passive, 0, 5), PEER_TIMEOUT);
    if (end == 1)
      assert_int_equal(peer_send_raw(pair.active, 0, half, sizeof half), PEER_OK);
    if (end < 2)
      peer_fin(pair.active, 0);
    else if (end == 2)
      peer_close(pair.active, 0);
    else
      peer_rst(pair.active, 0);
    assert_int_equal(peer_wait_closed(pair.passive, 0, PEER_TIMEOUT_MS), results[end]);
    pair_finish(&pair);
  }
}

/* Some hundred peers fit a process, and a life leaves nothing behind. */
static void many_peers_live_at_once(void **state) {
  (void)state;
  enum { COUNT = 200 };
  RtcPeer *peers[COUNT];
  size_t before = descriptors_open();
  for (size_t i = 0; i < COUNT; i++) {
    peers[i] = peer_new(NULL);
    assert_non_null(peers[i]);
  }
  for (size_t i = 0; i < COUNT; i++)
    peer_destroy(peers[i]);
  assert_int_equal(descriptors_open(), before);
}

/* The packets that tests send are what the RFCs' figures show. */
static void rtp_and_rtcp_are_written_as_the_rfcs_say(void **state) {
  (void)state;
  uint8_t packet[64];
  const RtpHeader header = {96, true, 0x0102, 0x03040506, 0x0708090a};
  static const uint8_t keyframe[] = {0x80, 0xe0, 1,    2, 3, 4,    5,    6,    7,    8, 9,
                                     10,   0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 2};
  static const uint8_t pli[] = {0x80, 201, 0, 1, 0, 0, 0, 5, 0x81, 206,
                                0,    2,   0, 0, 0, 5, 7, 8, 9,    10};
  RtpHeader read;
  assert_int_equal(rtp_write_vp8(packet, &header, true, true, 20), 32);
  assert_memory_equal(packet, keyframe, sizeof keyframe);
  assert_true(rtp_read(packet, 32, &read));
  assert_memory_equal(&read.ssrc, &header.ssrc, sizeof header.ssrc);
  assert_int_equal(read.sequence, header.sequence);
  assert_int_equal(rtcp_write_pli(packet, 5, 0x0708090a), sizeof pli);
  assert_memory_equal(packet, pli, sizeof pli);
  assert_true(rtcp_contains(packet, sizeof pli, 206, 1));
  assert_false(rtcp_contains(packet, sizeof pli, 206, 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(request_is_framed),
      cmocka_unit_test(frames_are_cut_by_their_headers),
      cmocka_unit_test(request_is_answered_on_both_families),
      cmocka_unit_test(wrong_requests_are_refused),
      cmocka_unit_test(faulty_answers_are_found),
      cmocka_unit_test(packets_before_the_binding_response_are_noticed),
      cmocka_unit_test(media_flows_in_every_role_and_profile),
      cmocka_unit_test(wrong_certificate_ends_the_handshake),
      cmocka_unit_test(tampered_and_replayed_packets_are_refused),
      cmocka_unit_test(lost_flight_is_sent_again_on_another_conn),
      cmocka_unit_test(session_goes_on_over_another_conn),
      cmocka_unit_test(media_follows_the_nomination),
      cmocka_unit_test(close_notify_is_told_from_a_bare_end),
      cmocka_unit_test(fatal_alert_is_understood),
      cmocka_unit_test(ends_of_a_conn_are_told_apart),
      cmocka_unit_test(many_peers_live_at_once),
      cmocka_unit_test(rtp_and_rtcp_are_written_as_the_rfcs_say),
  };
  return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
