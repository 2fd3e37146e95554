/* Fuzzes rtc_stun_server_handle: each input as a packet of its own, and as the attributes of a
 * request whose USERNAME, MESSAGE-INTEGRITY and FINGERPRINT are right, so that what lies behind
 * them is reached as well. */
#include "protocol/stun.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>

enum {
  HEADER_LEN = 20,
  INTEGRITY_LEN = 24,  /* with the attribute's header */
  FINGERPRINT_LEN = 8, /* likewise */
  USERNAME_LEN = 16,   /* likewise */
};

static const uint8_t password[] = "VOkJxbRl1RmTxUk/WvJxBt";

static void expect(bool condition) {
  if (!condition)
    abort();
}

static bool look_up(const RtcStunUsername *username, const uint8_t **found, size_t *found_len,
                    void *arg) {
  (void)arg;
  expect(username->local_len > 0 && username->local_len <= RTC_ICE_UFRAG_MAX);
  expect(username->remote_len > 0 && username->remote_len <= RTC_ICE_UFRAG_MAX);
  *found = password;
  *found_len = sizeof(password) - 1;
  return memchr(username->local, '!', username->local_len) == NULL;
}

static void check_outcome(const RtcStunOutcome *outcome, const uint8_t *packet) {
  const uint8_t *response = outcome->response;
  bool silent = outcome->result == RTC_STUN_INDICATION || outcome->result == RTC_STUN_IGNORED;
  expect(silent == (outcome->response_len == 0));
  if (silent)
    return;
  expect(outcome->response_len >= HEADER_LEN + FINGERPRINT_LEN);
  expect(outcome->response_len <= RTC_STUN_RESPONSE_MAX);
  expect((size_t)(response[2] << 8 | response[3]) == outcome->response_len - HEADER_LEN);
  expect(memcmp(response + 4, packet + 4, HEADER_LEN - 4) == 0);
  expect((outcome->error_code == 0) == (outcome->result == RTC_STUN_BINDING_REQUEST));
}

/* The packet ends where its heap block ends, so that a checker sees any octet read behind it. */
static void handle(RtcStunServer *server, const uint8_t *data, size_t len) {
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(50000)};
  RtcStunOutcome outcome;
  uint8_t *packet = malloc(len + (len == 0));
  if (!packet)
    return;
  if (len > 0)
    memcpy(packet, data, len);
  rtc_stun_server_handle(server, RTC_STUN_ROLE_LITE, packet, len, (const struct sockaddr *)&from,
                         sizeof(from), look_up, NULL, &outcome);
  check_outcome(&outcome, packet);
  rtc_stun_looks_like(packet, len);
  free(packet);
}

static void set_len(uint8_t *packet, size_t len) {
  packet[2] = (uint8_t)((len - HEADER_LEN) >> 8);
  packet[3] = (uint8_t)(len - HEADER_LEN);
}

static size_t put_integrity(uint8_t *packet, size_t len) {
  unsigned mac_len = INTEGRITY_LEN - 4;
  memcpy(packet + len, "\x00\x08\x00\x14", 4);
  set_len(packet, len + INTEGRITY_LEN);
  expect(HMAC(EVP_sha1(), password, (int)sizeof(password) - 1, packet, len, packet + len + 4,
              &mac_len) != NULL);
  return len + INTEGRITY_LEN;
}

static size_t put_fingerprint(uint8_t *packet, size_t len) {
  uint32_t crc = UINT32_MAX;
  set_len(packet, len + FINGERPRINT_LEN);
  for (size_t i = 0; i < len * 8; i++) {
    if (i % 8 == 0)
      crc ^= packet[i / 8];
    crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  crc = htonl(~crc ^ 0x5354554e);
  memcpy(packet + len, "\x80\x28\x00\x04", 4);
  memcpy(packet + len + 4, &crc, 4);
  return len + FINGERPRINT_LEN;
}

/* The first octet places MESSAGE-INTEGRITY among the attributes, which are the rest. */
static void handle_sealed(RtcStunServer *server, const uint8_t *data, size_t size) {
  static const uint8_t begin[] = "\x00\x01\x00\x00\x21\x12\xa4\x42"
                                 "transaction!"
                                 "\x00\x06\x00\x09"
                                 "evtj:h6vY\0\0\0";
  uint8_t packet[RTC_STUN_LEN_MAX];
  size_t len = HEADER_LEN + USERNAME_LEN;
  if (size < 1 || size - 1 > sizeof(packet) - len - INTEGRITY_LEN - FINGERPRINT_LEN)
    return;
  size_t before = (size_t)data[0] * 4;
  size_t attributes_len = (size - 1) / 4 * 4;
  if (before > attributes_len)
    before = attributes_len;

  memcpy(packet, begin, len);
  memcpy(packet + len, data + 1, before);
  len = put_integrity(packet, len + before);
  memcpy(packet + len, data + 1 + before, attributes_len - before);
  len = put_fingerprint(packet, len + attributes_len - before);
  handle(server, packet, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  RtcStunServer *server;
  if (rtc_stun_server_new(&server))
    return 0;
  handle(server, data, size);
  handle_sealed(server, data, size);
  rtc_stun_server_destroy(server);
  return 0;
}
