/* Fuzzes the readers of SDP: each input as a whole SDP and as one candidate; what was understood
 * can be written, and is understood in the same way again. */
#include <rtctcp/sdp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(bool condition) {
  if (!condition)
    abort();
}

static void expect_same(const RtcSdpTransport *a, const RtcSdpTransport *b) {
  expect(strcmp(a->ufrag, b->ufrag) == 0 && strcmp(a->pwd, b->pwd) == 0);
  expect(a->setup == b->setup);
  expect(a->fingerprint_count == b->fingerprint_count);
  expect(memcmp(a->fingerprints, b->fingerprints,
                a->fingerprint_count * sizeof(a->fingerprints[0])) == 0);
  expect(a->candidate_count == b->candidate_count);
  for (size_t i = 0; i < a->candidate_count; i++)
    expect(strcmp(a->candidates[i].address, b->candidates[i].address) == 0 &&
           a->candidates[i].port == b->candidates[i].port &&
           a->candidates[i].tcp_type == b->candidates[i].tcp_type);
}

static void write_and_read_again(const RtcSdpTransport *transport) {
  static const char media[] = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
  char text[8192];
  size_t prefix = sizeof(media) - 1;
  size_t len;
  RtcSdpTransport again;
  memcpy(text, media, prefix);
  expect(rtc_sdp_transport_write(transport, text + prefix, sizeof(text) - prefix, &len) == RTC_OK);
  expect(rtc_sdp_transport_parse(&again, text, prefix + len, NULL) == RTC_OK);
  expect_same(transport, &again);
}

static void parse_transport(const char *text, size_t size) {
  RtcSdpTransport transport;
  const char *reason = NULL;
  RtcError error = rtc_sdp_transport_parse(&transport, text, size, &reason);
  expect((error != RTC_OK) == (reason != NULL));
  if (!error)
    write_and_read_again(&transport);
}

static void parse_candidate(const char *text, size_t size) {
  RtcCandidate candidate;
  if (rtc_sdp_candidate_parse(&candidate, text, size))
    return;
  expect(candidate.foundation[0] != '\0' && candidate.address[0] != '\0');
  expect(candidate.priority > 0 && candidate.component > 0);
  expect(candidate.tcp == (candidate.tcp_type != RTC_TCP_TYPE_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + (size == 0)); /* of exactly this size, so that reading on is seen */
  if (!text)
    return 0;
  if (size > 0)
    memcpy(text, data, size);
  parse_transport(text, size);
  parse_candidate(text, size);
  free(text);
  return 0;
}
