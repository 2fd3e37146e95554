/* The test peer itself: two of them back to back over loopback TCP, and one against answers that
 * are wrong on purpose. One thread: each step's octets fit the kernel's buffers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
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
      {PEER_NO_USERNAME, 400},     {PEER_UNKNOWN_UFRAG, 401},         {PEER_WRONG_OWN_UFRAG, 401},
      {PEER_NO_INTEGRITY, 400},    {PEER_BAD_INTEGRITY, 401},         {PEER_UNKNOWN_REQUIRED, 420},
      {PEER_NO_FINGERPRINT, PEER_TIMEOUT}, {PEER_BAD_FINGERPRINT, PEER_TIMEOUT},
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(request_is_framed),
      cmocka_unit_test(frames_are_cut_by_their_headers),
      cmocka_unit_test(request_is_answered_on_both_families),
      cmocka_unit_test(wrong_requests_are_refused),
  };
  return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
