/* Fuzzes rtc_stun_client_response: each input as a packet of its own, and as the attributes of a
 * response to the awaited transaction whose MESSAGE-INTEGRITY and FINGERPRINT are right, so that
 * what lies behind them is reached as well. */
#include "protocol/stun.h"
#include "protocol/stun_client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>

enum {
  HEADER_LEN = 20,
  INTEGRITY_LEN = 24,  /* with the attribute's header */
  FINGERPRINT_LEN = 8, /* likewise */
};

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";
static const RtcStunTransaction transaction = {"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"};

static void expect(bool condition) {
  if (!condition)
    abort();
}

/* The packet ends where its heap block ends, so that a checker sees any octet read behind it. */
static RtcStunResponse validate(RtcStunClient *client, const uint8_t *data, size_t len) {
  uint16_t code = 1;
  uint8_t *packet = malloc(len + (len == 0));
  if (!packet)
    return RTC_STUN_RESPONSE_IGNORED;
  if (len > 0)
    memcpy(packet, data, len);
  RtcStunResponse response =
      rtc_stun_client_response(client, &transaction, password, packet, len, &code);
  expect(response != RTC_STUN_RESPONSE_SUCCESS || code == 0);
  expect(response != RTC_STUN_RESPONSE_ROLE_CONFLICT || code == 487);
  expect(response == RTC_STUN_RESPONSE_IGNORED || rtc_stun_is_response(packet, len));
  free(packet);
  return response;
}

static void set_len(uint8_t *packet, size_t len) {
  packet[2] = (uint8_t)((len - HEADER_LEN) >> 8);
  packet[3] = (uint8_t)(len - HEADER_LEN);
}

static size_t put_integrity(uint8_t *packet, size_t len) {
  unsigned mac_len = INTEGRITY_LEN - 4;
  memcpy(packet + len, "\x00\x08\x00\x14", 4);
  set_len(packet, len + INTEGRITY_LEN);
  expect(HMAC(EVP_sha1(), password, (int)sizeof password - 1, packet, len, packet + len + 4,
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

/* The first octet chooses a success or an error, with or without MESSAGE-INTEGRITY, which the
 * attributes, the rest, come before. */
static void validate_sealed(RtcStunClient *client, const uint8_t *data, size_t size) {
  uint8_t packet[RTC_STUN_LEN_MAX] = "\x01\x01\x00\x00\x21\x12\xa4\x42";
  size_t len = HEADER_LEN;
  if (size < 1 || size - 1 > sizeof packet - len - INTEGRITY_LEN - FINGERPRINT_LEN)
    return;
  bool error = data[0] & 1;
  bool proven = !(data[0] & 2);
  packet[1] = error ? 0x11 : 0x01;
  memcpy(packet + 8, transaction.id, sizeof transaction.id);
  size_t attributes_len = (size - 1) / 4 * 4;
  memcpy(packet + len, data + 1, attributes_len);
  len += attributes_len;
  if (proven)
    len = put_integrity(packet, len);
  len = put_fingerprint(packet, len);
  RtcStunResponse response = validate(client, packet, len);
  expect(!error || response != RTC_STUN_RESPONSE_SUCCESS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  RtcStunClient *client;
  if (rtc_stun_client_new(&client))
    return 0;
  validate(client, data, size);
  validate_sealed(client, data, size);
  rtc_stun_client_destroy(client);
  return 0;
}
