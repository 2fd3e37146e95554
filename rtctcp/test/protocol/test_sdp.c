/* Tests of protocol/sdp.c, sdp_candidate.c and sdp_write.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rtctcp/sdp.h>

#include "support/browser_offers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

#define UFRAG "a=ice-ufrag:Xq3L\r\n"
#define PWD   "a=ice-pwd:kP0aZt7w+Mu9/h2bVnR4sYqD\r\n"
#define SHA_1 "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n"
#define SHA_1_OTHER                                                                                \
  "a=fingerprint:SHA-1 00:ad:b9:b1:3f:82:18:3b:54:02:12:df:3e:5d:49:6b:19:e5:7c:ab\r\n"
#define MD5         "a=fingerprint:md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B\r\n"
#define SESSION     "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define AUDIO       "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
#define VIDEO       "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"
#define CREDENTIALS UFRAG PWD SHA_1
#define SIXTEEN     "0123456789abcdef"
#define X256                                                                                       \
  SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN  \
      SIXTEEN SIXTEEN SIXTEEN SIXTEEN

/* Parses text that ends where its heap block ends, so that reading on is found out. */
static RtcError parse_octets(RtcSdpTransport *transport, const char *text, size_t len,
                             const char **reason) {
  char *exact = malloc(len > 0 ? len : 1);
  assert_non_null(exact);
  memcpy(exact, text, len);
  RtcError error = rtc_sdp_transport_parse(transport, exact, len, reason);
  free(exact);
  return error;
}

static RtcError parse(RtcSdpTransport *transport, const char *text) {
  const char *reason = NULL;
  RtcError error = parse_octets(transport, text, strlen(text), &reason);
  if (error)
    assert_non_null(reason);
  else
    assert_null(reason);
  return error;
}

/* The two say the same: what is written of them is equal, and so is what is not written. */
static void expect_same(const RtcSdpTransport *a, const RtcSdpTransport *b) {
  char text_a[8192], text_b[8192];
  size_t len_a, len_b;
  assert_int_equal(rtc_sdp_transport_write(a, text_a, sizeof(text_a), &len_a), RTC_OK);
  assert_int_equal(rtc_sdp_transport_write(b, text_b, sizeof(text_b), &len_b), RTC_OK);
  assert_string_equal(text_a, text_b);
  assert_int_equal(a->ice_lite, b->ice_lite);
  assert_int_equal(a->candidates_left_out, b->candidates_left_out);
}

/* -- Offers of browsers ---------------------------------------------------------------------- */

/* Chrome's offer is understood, with its .local and IPv6 candidates and their extensions. */
static void chrome_offer_is_understood(void **state) {
  (void)state;
  RtcSdpTransport transport;
  assert_int_equal(parse(&transport, chrome_offer), RTC_OK);
  assert_string_equal(transport.ufrag, "Xq3L");
  assert_string_equal(transport.pwd, "kP0aZt7w+Mu9/h2bVnR4sYqD");
  assert_false(transport.ice_lite);
  assert_int_equal(transport.setup, RTC_SETUP_ACTPASS);
  assert_int_equal(transport.fingerprint_count, 1);
  assert_string_equal(transport.fingerprints[0].algorithm, "sha-256");
  assert_int_equal(transport.fingerprints[0].len, 32);
  assert_int_equal(transport.fingerprints[0].value[0], 0x9b);
  assert_int_equal(transport.fingerprints[0].value[31], 0x91);
  assert_int_equal(transport.candidate_count, 5);
  assert_int_equal(transport.candidates_left_out, 0);

  const RtcCandidate *active = &transport.candidates[3];
  assert_string_equal(active->foundation, "435653019");
  assert_int_equal(active->component, 1);
  assert_true(active->tcp);
  assert_int_equal(active->priority, 1518283007);
  assert_string_equal(active->address, "2001:db8:1::7");
  assert_int_equal(active->port, 9);
  assert_string_equal(active->type, "host");
  assert_int_equal(active->tcp_type, RTC_TCP_TYPE_ACTIVE);

  const RtcCandidate *reflexive = &transport.candidates[2];
  assert_false(reflexive->tcp);
  assert_string_equal(reflexive->address, "198.51.100.7");
  assert_string_equal(reflexive->type, "srflx");
  assert_int_equal(reflexive->tcp_type, RTC_TCP_TYPE_NONE);
}

/* Firefox gives each section an own transport until the answer bundles them: the first one's is
 * the bundle's. Its fingerprint is the session's. */
static void firefox_offer_is_understood(void **state) {
  (void)state;
  RtcSdpTransport transport;
  assert_int_equal(parse(&transport, firefox_offer), RTC_OK);
  assert_string_equal(transport.ufrag, "0a5c3d7e");
  assert_string_equal(transport.pwd, "d1c2a6f0a8f9f6c5b3e4978d6c5b4a39");
  assert_int_equal(transport.setup, RTC_SETUP_ACTPASS);
  assert_int_equal(transport.fingerprint_count, 1);
  assert_int_equal(transport.fingerprints[0].value[0], 0x4a);
  assert_int_equal(transport.candidate_count, 3);
  assert_int_equal(transport.candidates[1].tcp_type, RTC_TCP_TYPE_ACTIVE);
  assert_string_equal(transport.candidates[1].address,
                      "c7a1f4de-93f2-4ac0-8f0a-55b4e1f0d2aa.local");
}

/* LF alone ends a line as well. */
static void lines_may_end_in_lf(void **state) {
  (void)state;
  RtcSdpTransport with_crlf, with_lf;
  char text[8192];
  size_t len = 0;
  for (const char *c = chrome_offer; *c; c++)
    if (*c != '\r')
      text[len++] = *c;
  assert_int_equal(parse(&with_crlf, chrome_offer), RTC_OK);
  assert_int_equal(parse_octets(&with_lf, text, len, NULL), RTC_OK);
  expect_same(&with_crlf, &with_lf);
}

/* Wherever an SDP is cut, it is refused with a reason, or what is there is read. */
static void truncated_offers_are_safe(void **state) {
  static const char *const offers[] = {chrome_offer, firefox_offer};
  (void)state;
  for (size_t i = 0; i < COUNT(offers); i++) {
    for (size_t len = 0; len < strlen(offers[i]); len++) {
      RtcSdpTransport transport;
      const char *reason = NULL;
      RtcError error = parse_octets(&transport, offers[i], len, &reason);
      assert_int_equal(error != RTC_OK, reason != NULL);
    }
  }
}

/* -- Levels and sections --------------------------------------------------------------------- */

/* What the media section says stands over what the session says; the rest is the session's. */
static void media_level_stands_over_session_level(void **state) {
  (void)state;
  RtcSdpTransport transport;
  assert_int_equal(parse(&transport,
                         SESSION "a=ice-lite\r\na=ice-ufrag:sess\r\n" PWD SHA_1 SHA_1_OTHER
                                 "a=setup:passive\r\n"
                                 "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n" AUDIO
                                 "a=ice-ufrag:media\r\n" SHA_1_OTHER "a=setup:active\r\n"),
                   RTC_OK);
  assert_true(transport.ice_lite);
  assert_string_equal(transport.ufrag, "media");
  assert_string_equal(transport.pwd, "kP0aZt7w+Mu9/h2bVnR4sYqD");
  assert_int_equal(transport.setup, RTC_SETUP_ACTIVE);
  assert_int_equal(transport.fingerprint_count, 1);
  assert_string_equal(transport.fingerprints[0].algorithm, "sha-1");
  assert_int_equal(transport.fingerprints[0].value[0], 0x00);
  assert_int_equal(transport.fingerprints[0].value[1], 0xad);
  assert_int_equal(transport.candidate_count, 0);
}

/* The section that speaks for the bundle is the group's first that is not rejected; a bundle-only
 * one is none of them. */
static void tagged_section_is_found(void **state) {
  static const struct {
    const char *name;
    const char *sdp;
    const char *ufrag;
  } cases[] = {
      {"one section without a group", SESSION AUDIO CREDENTIALS, "Xq3L"},
      {"rejected sections don't count",
       SESSION "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:none\r\n" VIDEO CREDENTIALS, "Xq3L"},
      {"rejected ones may be in the group",
       SESSION "a=group:BUNDLE 0 1\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
               "a=ice-ufrag:none\r\n" VIDEO "a=mid:1\r\n" CREDENTIALS,
       "Xq3L"},
      {"the group's order decides",
       SESSION "a=group:LS 0 1\r\na=group:BUNDLE b a\r\n" AUDIO "a=mid:a\r\n"
               "a=ice-ufrag:none\r\n" VIDEO "a=mid:b\r\n" CREDENTIALS,
       "Xq3L"},
      {"bundle-only sections need nothing",
       SESSION "a=group:BUNDLE 0 1\r\n" AUDIO "a=mid:0\r\n" CREDENTIALS
               "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=bundle-only\r\na=mid:1\r\n",
       "Xq3L"},
      {"a port with a count", SESSION "m=audio 9/2 UDP/TLS/RTP/SAVPF 0\r\n" CREDENTIALS, "Xq3L"},
      {"no newline at the end", SESSION AUDIO PWD SHA_1 "a=ice-ufrag:last", "last"},
      {"the longest credentials",
       SESSION AUDIO "a=ice-ufrag:" X256 "\r\na=ice-pwd:" X256 "\r\n" SHA_1, X256},
      {"lines that nobody knows",
       SESSION "\r\nx\r\n=\r\na\r\na=\r\na=ice-ufragile:x\r\n" AUDIO "b=AS:1\r\n" CREDENTIALS,
       "Xq3L"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcSdpTransport transport;
    print_message("             %s\n", cases[i].name);
    assert_int_equal(parse(&transport, cases[i].sdp), RTC_OK);
    assert_string_equal(transport.ufrag, cases[i].ufrag);
  }
}

/* Several hashes are kept, as many as fit; one that must not be used any more is left out. */
static void fingerprints_of_known_hashes_are_kept(void **state) {
  (void)state;
  RtcSdpTransport transport;
  assert_int_equal(parse(&transport, SESSION AUDIO UFRAG PWD MD5 SHA_1 SHA_1_OTHER), RTC_OK);
  assert_int_equal(transport.fingerprint_count, 2);
  assert_int_equal(parse(&transport, SESSION AUDIO CREDENTIALS SHA_1_OTHER SHA_1 SHA_1 SHA_1 SHA_1),
                   RTC_OK);
  assert_int_equal(transport.fingerprint_count, RTC_SDP_FINGERPRINTS_MAX);
}

/* Each malformed SDP has its error, and a reason that names what is wrong; nothing is written. */
static void unusable_sdp_is_refused_with_a_reason(void **state) {
  static const struct {
    const char *sdp;
    RtcError error;
    const char *reason; /* is part of the text */
  } cases[] = {
      {"", RTC_ERROR_NOT_FOUND, "media section"},
      {SESSION CREDENTIALS, RTC_ERROR_NOT_FOUND, "media section"},
      {SESSION CREDENTIALS "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n", RTC_ERROR_NOT_FOUND, "rejected"},
      {SESSION CREDENTIALS "m=audio\r\n", RTC_ERROR_PROTO, "m="},
      {SESSION CREDENTIALS "m=audio x UDP/TLS/RTP/SAVPF 0\r\n", RTC_ERROR_PROTO, "m="},
      {SESSION CREDENTIALS "m=audio 65536 UDP/TLS/RTP/SAVPF 0\r\n", RTC_ERROR_PROTO, "m="},
      {SESSION AUDIO PWD SHA_1, RTC_ERROR_NOT_FOUND, "ice-ufrag"},
      {SESSION AUDIO UFRAG SHA_1, RTC_ERROR_NOT_FOUND, "ice-pwd"},
      {SESSION AUDIO UFRAG PWD, RTC_ERROR_NOT_FOUND, "fingerprint"},
      {SESSION AUDIO UFRAG PWD MD5, RTC_ERROR_UNSUPPORTED, "hash"},
      {SESSION SHA_1 AUDIO UFRAG PWD MD5, RTC_ERROR_UNSUPPORTED, "hash"},
      {SESSION AUDIO "a=ice-ufrag:abc\r\n" PWD SHA_1, RTC_ERROR_PROTO, "ice-ufrag"},
      {SESSION AUDIO "a=ice-ufrag:\r\n" PWD SHA_1, RTC_ERROR_PROTO, "ice-ufrag"},
      {SESSION AUDIO "a=ice-ufrag:ab:d\r\n" PWD SHA_1, RTC_ERROR_PROTO, "ice-ufrag"},
      {SESSION AUDIO "a=ice-ufrag:ab d\r\n" PWD SHA_1, RTC_ERROR_PROTO, "ice-ufrag"},
      {SESSION AUDIO "a=ice-ufrag:" X256 "x\r\n" PWD SHA_1, RTC_ERROR_PROTO, "ice-ufrag"},
      {SESSION AUDIO UFRAG "a=ice-pwd:012345678901234567890\r\n" SHA_1, RTC_ERROR_PROTO, "ice-pwd"},
      {SESSION AUDIO UFRAG "a=ice-pwd:" X256 "x\r\n" SHA_1, RTC_ERROR_PROTO, "ice-pwd"},
      {SESSION AUDIO UFRAG "a=ice-pwd:0123456789012345678901234_\r\n" SHA_1, RTC_ERROR_PROTO,
       "ice-pwd"},
      {SESSION AUDIO CREDENTIALS "a=setup:holdconn\r\n", RTC_ERROR_PROTO, "setup"},
      {SESSION AUDIO CREDENTIALS "a=setup:\r\n", RTC_ERROR_PROTO, "setup"},
      {SESSION AUDIO CREDENTIALS "a=setup:activ\r\n", RTC_ERROR_PROTO, "setup"},
      {SESSION AUDIO UFRAG PWD "a=fingerprint:\r\n", RTC_ERROR_PROTO, "fingerprint"},
      {SESSION AUDIO UFRAG PWD "a=fingerprint:sha-1\r\n", RTC_ERROR_PROTO, "fingerprint"},
      {SESSION AUDIO UFRAG PWD "a=fingerprint:sha-1 4A:AD\r\n", RTC_ERROR_PROTO, "hex"},
      {SESSION AUDIO UFRAG PWD
       "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AG\r\n",
       RTC_ERROR_PROTO, "hex"},
      {SESSION AUDIO UFRAG PWD
       "a=fingerprint:sha-1 4A-AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n",
       RTC_ERROR_PROTO, "hex"},
      {SESSION AUDIO UFRAG PWD
       "a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:\r\n",
       RTC_ERROR_PROTO, "hex"},
      {SESSION AUDIO UFRAG PWD
       "a=fingerprint:sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n",
       RTC_ERROR_PROTO, "hex"},
      {SESSION AUDIO CREDENTIALS VIDEO CREDENTIALS, RTC_ERROR_UNSUPPORTED, "BUNDLE"},
      {SESSION "a=group:BUNDLE 0\r\n" AUDIO "a=mid:0\r\n" CREDENTIALS VIDEO "a=mid:1\r\n",
       RTC_ERROR_UNSUPPORTED, "BUNDLE"},
      {SESSION "a=group:BUNDLE 0\r\na=group:BUNDLE 1\r\n" AUDIO "a=mid:0\r\n" CREDENTIALS VIDEO
               "a=mid:1\r\n",
       RTC_ERROR_UNSUPPORTED, "BUNDLE"},
      {SESSION "a=group:BUNDLE \r\n" AUDIO "a=mid:\r\n" CREDENTIALS VIDEO "a=mid:\r\n",
       RTC_ERROR_UNSUPPORTED, "BUNDLE"},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcSdpTransport transport, untouched;
    const char *reason = NULL;
    memset(&transport, 0x5a, sizeof(transport));
    untouched = transport;
    assert_int_equal(parse_octets(&transport, cases[i].sdp, strlen(cases[i].sdp), &reason),
                     cases[i].error);
    assert_non_null(reason);
    assert_non_null(strstr(reason, cases[i].reason));
    assert_memory_equal(&transport, &untouched, sizeof(transport));
    assert_int_equal(parse_octets(&transport, cases[i].sdp, strlen(cases[i].sdp), NULL),
                     cases[i].error);
  }
}

/* A NUL is an octet like others: it neither ends the text nor is it an ice-char. */
static void nul_octets_are_malformed_values(void **state) {
  static const char text[] = SESSION AUDIO "a=ice-ufrag:ab\0cd\r\n" PWD SHA_1;
  static const char candidate[] = "candidate:1 1 udp 1 192.0.2.1\0 1 typ host";
  (void)state;
  RtcSdpTransport transport;
  RtcCandidate read;
  assert_int_equal(parse_octets(&transport, text, sizeof(text) - 1, NULL), RTC_ERROR_PROTO);
  assert_int_equal(rtc_sdp_candidate_parse(&read, candidate, sizeof(candidate) - 1),
                   RTC_ERROR_PROTO);
}

/* An SDP of very many sections is refused, not searched for ever. */
static void very_many_sections_are_refused(void **state) {
  (void)state;
  char text[8192] = SESSION CREDENTIALS;
  RtcSdpTransport transport;
  for (int i = 0; i < 100; i++)
    strcat(text, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n");
  assert_int_equal(parse(&transport, text), RTC_ERROR_UNSUPPORTED);
}

/* -- Candidates ------------------------------------------------------------------------------ */

/* Every part of a candidate is read; names of extensions that are not known are passed over. */
static void candidates_are_understood(void **state) {
  static const struct {
    const char *text;
    RtcCandidate want;
  } cases[] = {
      {"candidate:1 1 tcp 2128609279 192.0.2.7 8080 typ host tcptype passive",
       {"1", 1, true, 2128609279, "192.0.2.7", 8080, "host", RTC_TCP_TYPE_PASSIVE}},
      {"1 1 TCP 1 ::1 65535 typ host tcptype so",
       {"1", 1, true, 1, "::1", 65535, "host", RTC_TCP_TYPE_SO}},
      {"candidate:a+/Z 256 UDP 2147483647 2001:db8::ffff:192.0.2.1 0 typ relay raddr :: rport 0",
       {"a+/Z", 256, false, 2147483647, "2001:db8::ffff:192.0.2.1", 0, "relay", 0}},
      {"candidate:x 2 udp 1 host-1.example.org 9 typ prflx raddr 10.0.0.1 rport 9 generation 0 "
       "ufrag EEtu network-id 3 network-cost 10 tcptype bogus",
       {"x", 2, false, 1, "host-1.example.org", 9, "prflx", RTC_TCP_TYPE_NONE}},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    const RtcCandidate *want = &cases[i].want;
    RtcCandidate is;
    assert_int_equal(rtc_sdp_candidate_parse(&is, cases[i].text, strlen(cases[i].text)), RTC_OK);
    assert_string_equal(is.foundation, want->foundation);
    assert_int_equal(is.component, want->component);
    assert_int_equal(is.tcp, want->tcp);
    assert_int_equal(is.priority, want->priority);
    assert_string_equal(is.address, want->address);
    assert_int_equal(is.port, want->port);
    assert_string_equal(is.type, want->type);
    assert_int_equal(is.tcp_type, want->tcp_type);
  }
}

/* What is out of grammar or range is told from what is only not supported. */
static void malformed_candidates_are_refused(void **state) {
  static const struct {
    const char *text;
    RtcError error;
  } cases[] = {
      {"", RTC_ERROR_PROTO},
      {"candidate:", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2.1 1 typ", RTC_ERROR_PROTO},
      {"candidate: 1 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:012345678901234567890123456789012 1 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:a_b 1 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 0 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 257 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 -1 udp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 0 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 2147483648 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 18446744073709551617 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 99999999999 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2.256 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 2001:db8:::1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 fe80::1%eth0 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 <script> 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 " SIXTEEN SIXTEEN SIXTEEN SIXTEEN " 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2.1 65536 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2.1 1 tip host", RTC_ERROR_PROTO},
      {"candidate:1 1 udp 1 192.0.2.1 1 typ host generation", RTC_ERROR_PROTO},
      {"candidate:1 1 tcp 1 192.0.2.1 1 typ host", RTC_ERROR_PROTO},
      {"candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype", RTC_ERROR_PROTO},
      {"candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype both", RTC_ERROR_PROTO},
      {"candidate:1 1 sctp 1 192.0.2.1 1 typ host", RTC_ERROR_UNSUPPORTED},
      {"candidate:1 1 udp 1 192.0.2.1 1 typ teleport", RTC_ERROR_UNSUPPORTED},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcCandidate candidate, untouched;
    memset(&candidate, 0x5a, sizeof(candidate));
    untouched = candidate;
    assert_int_equal(rtc_sdp_candidate_parse(&candidate, cases[i].text, strlen(cases[i].text)),
                     cases[i].error);
    assert_memory_equal(&candidate, &untouched, sizeof(candidate));
  }
}

/* Candidates that are too many, or not understood, are left out and counted; the rest is kept. */
static void candidates_left_out_are_counted(void **state) {
  (void)state;
  char text[8192] = SESSION AUDIO CREDENTIALS "a=candidate:broken\r\n"
                                              "a=candidate:1 1 sctp 1 192.0.2.1 1 typ host\r\n";
  RtcSdpTransport transport;
  for (int i = 0; i < RTC_SDP_CANDIDATES_MAX + 3; i++)
    sprintf(text + strlen(text), "a=candidate:%d 1 udp 1 192.0.2.1 %d typ host\r\n", i, 1000 + i);
  assert_int_equal(parse(&transport, text), RTC_OK);
  assert_int_equal(transport.candidate_count, RTC_SDP_CANDIDATES_MAX);
  assert_int_equal(transport.candidates_left_out, 5);
  assert_int_equal(transport.candidates[0].port, 1000);
  assert_int_equal(transport.candidates[RTC_SDP_CANDIDATES_MAX - 1].port,
                   1000 + RTC_SDP_CANDIDATES_MAX - 1);
}

/* -- Writing --------------------------------------------------------------------------------- */

static RtcSdpTransport make_answer(void) {
  RtcSdpTransport transport = {
      .ufrag = "w0Abcd",
      .pwd = "0123456789abcdefghijkl",
      .setup = RTC_SETUP_PASSIVE,
      .fingerprints = {{.algorithm = "sha-1", .value = {0x4a, 0xad, [19] = 0x0b}, .len = 20}},
      .fingerprint_count = 1,
      .candidates =
          {
              {"1", 1, true, 2128609279, "192.0.2.1", 8080, "host", RTC_TCP_TYPE_PASSIVE},
              {"2", 1, true, 1694498815, "2001:db8::1", 443, "srflx", RTC_TCP_TYPE_PASSIVE},
              {"3", 1, false, 1, "192.0.2.2", 9, "relay", RTC_TCP_TYPE_NONE},
          },
      .candidate_count = 3,
  };
  return transport;
}

static const char answer_lines[] =
    "a=ice-ufrag:w0Abcd\r\n"
    "a=ice-pwd:0123456789abcdefghijkl\r\n"
    "a=fingerprint:sha-1 4A:AD:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:0B\r\n"
    "a=setup:passive\r\n"
    "a=candidate:1 1 tcp 2128609279 192.0.2.1 8080 typ host tcptype passive\r\n"
    "a=candidate:2 1 tcp 1694498815 2001:db8::1 443 typ srflx raddr :: rport 9 tcptype passive\r\n"
    "a=candidate:3 1 udp 1 192.0.2.2 9 typ relay raddr 0.0.0.0 rport 9\r\n";

/* The lines are as the RFCs' grammars have them. */
static void answer_is_written_line_by_line(void **state) {
  (void)state;
  RtcSdpTransport transport = make_answer();
  char text[1024];
  size_t len = 0;
  assert_int_equal(rtc_sdp_transport_write(&transport, text, sizeof(text), &len), RTC_OK);
  assert_string_equal(text, answer_lines);
  assert_int_equal(len, sizeof(answer_lines) - 1);
}

/* What is written is read again, all of it. */
static void written_transport_is_read_again(void **state) {
  (void)state;
  RtcSdpTransport transport = make_answer(), again;
  char text[2048] = SESSION AUDIO;
  size_t begin = strlen(text);
  size_t len;
  assert_int_equal(rtc_sdp_transport_write(&transport, text + begin, sizeof(text) - begin, &len),
                   RTC_OK);
  assert_int_equal(parse(&again, text), RTC_OK);
  expect_same(&again, &transport);
}

/* A buffer of any size below the needed one is LIMIT, and nothing is written behind it. */
static void too_small_buffers_are_told(void **state) {
  (void)state;
  RtcSdpTransport transport = make_answer();
  for (size_t cap = 0; cap <= sizeof(answer_lines); cap++) {
    char *text = malloc(cap > 0 ? cap : 1);
    size_t len = SIZE_MAX;
    assert_non_null(text);
    RtcError error = rtc_sdp_transport_write(&transport, text, cap, &len);
    assert_int_equal(error, cap < sizeof(answer_lines) ? RTC_ERROR_LIMIT : RTC_OK);
    assert_int_equal(len, cap < sizeof(answer_lines) ? SIZE_MAX : sizeof(answer_lines) - 1);
    free(text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(chrome_offer_is_understood),
      cmocka_unit_test(firefox_offer_is_understood),
      cmocka_unit_test(lines_may_end_in_lf),
      cmocka_unit_test(truncated_offers_are_safe),
      cmocka_unit_test(media_level_stands_over_session_level),
      cmocka_unit_test(tagged_section_is_found),
      cmocka_unit_test(fingerprints_of_known_hashes_are_kept),
      cmocka_unit_test(unusable_sdp_is_refused_with_a_reason),
      cmocka_unit_test(nul_octets_are_malformed_values),
      cmocka_unit_test(very_many_sections_are_refused),
      cmocka_unit_test(candidates_are_understood),
      cmocka_unit_test(malformed_candidates_are_refused),
      cmocka_unit_test(candidates_left_out_are_counted),
      cmocka_unit_test(answer_is_written_line_by_line),
      cmocka_unit_test(written_transport_is_read_again),
      cmocka_unit_test(too_small_buffers_are_told),
  };
  return cmocka_run_group_tests_name("sdp", tests, NULL, NULL);
}
