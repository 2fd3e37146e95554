/* Tests of fragment.c: SDP fragments as browsers' pages send them, and those that nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../fragment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UFRAG   "a=ice-ufrag:S7pE\r\n"
#define PWD     "a=ice-pwd:KG9TrNyq3W03Z84i8d0GhWYS\r\n"
#define SECTION "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\na=mid:0\r\n"
#define CANDIDATE                                                                                  \
  "a=candidate:1 1 tcp 1518214911 192.0.2.1 9 typ host tcptype active ufrag S7pE\r\n"

static RtcError parse(Fragment *fragment, const char *text, const char **reason) {
  *fragment = (Fragment){.ufrag = "untouched"};
  *reason = NULL;
  return fragment_parse(fragment, text, strlen(text), reason);
}

/* What a fragment may look like: the credentials are found wherever they stand. */
static void good_fragments_are_read(void **state) {
  static const struct {
    const char *text;
    bool credentials;
  } cases[] = {
      {UFRAG PWD, true},
      {"a=ice-options:trickle\r\na=group:BUNDLE 0 1\r\n" UFRAG PWD SECTION CANDIDATE, true},
      {SECTION UFRAG PWD CANDIDATE "a=end-of-candidates\r\n", true},
      {UFRAG PWD SECTION UFRAG PWD "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n" UFRAG PWD, true},
      {"a=ice-ufrag:S7pE\na=ice-pwd:KG9TrNyq3W03Z84i8d0GhWYS", true},
      {SECTION CANDIDATE CANDIDATE, false},
      {"a=end-of-candidates\r\n", false},
      {"m=audio 9/2 RTP/AVP 0\r\na=mid:audio\r\na=rtcp-mux\r\na=x-new:a b: c\r\n", false},
      {SECTION "a=candidate:1 1 sctp 1518214911 192.0.2.1 9 typ host\r\n", false},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Fragment fragment;
    const char *reason;
    assert_int_equal(parse(&fragment, cases[i].text, &reason), RTC_OK);
    assert_null(reason);
    assert_string_equal(fragment.ufrag, cases[i].credentials ? "S7pE" : "");
    assert_string_equal(fragment.pwd, cases[i].credentials ? "KG9TrNyq3W03Z84i8d0GhWYS" : "");
  }
}

/* What is malformed is refused with a reason, and nothing is written. */
static void bad_fragments_are_refused(void **state) {
  static const struct {
    const char *text;
    const char *reason; /* a part of it */
  } cases[] = {
      {"", "empty"},
      {"hello", "neither a= nor m="},
      {"v=0\r\n" UFRAG PWD, "neither a= nor m="},
      {UFRAG PWD "\r\n", "neither a= nor m="},
      {UFRAG PWD "a=\r\n", "no name"},
      {UFRAG PWD "a=:x\r\n", "no name"},
      {UFRAG PWD "a=na me\r\n", "no name"},
      {UFRAG PWD "a=x:\r\r\n", "control character"},
      {UFRAG PWD "a=x:\t\r\n", "control character"},
      {UFRAG, "without the other"},
      {PWD SECTION, "without the other"},
      {"a=ice-ufrag:S7p\r\n" PWD, "a=ice-ufrag is not"},
      {"a=ice-ufrag:S7p-\r\n" PWD, "a=ice-ufrag is not"},
      {"a=ice-ufrag: S7pE\r\n" PWD, "a=ice-ufrag is not"},
      {UFRAG "a=ice-pwd:KG9TrNyq3W03Z84i8d0Gh\r\n", "a=ice-pwd is not"},
      {UFRAG PWD SECTION "a=ice-ufrag:S7pF\r\n", "two different"},
      {UFRAG PWD SECTION "a=ice-pwd:KG9TrNyq3W03Z84i8d0GhWYSx\r\n", "two different"},
      {"m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", "no a=mid"},
      {"m=audio 9 RTP/AVP 0\r\n" SECTION, "no a=mid"},
      {SECTION "a=mid:0\r\n", "a=mid is"},
      {"a=mid:0\r\n", "a=mid is"},
      {"m=audio 9 RTP/AVP 0\r\na=mid:\r\n", "a=mid is"},
      {"m=audio 9 RTP/AVP 0\r\na=mid:a b\r\n", "a=mid is"},
      {"m=\r\na=mid:0\r\n", "m= line is malformed"},
      {"m=audio\r\na=mid:0\r\n", "m= line is malformed"},
      {"m=audio x RTP/AVP 0\r\na=mid:0\r\n", "m= line is malformed"},
      {"m=audio 9 RTP/AVP\r\na=mid:0\r\n", "m= line is malformed"},
      {UFRAG PWD CANDIDATE, "in no section"},
      {SECTION "a=candidate:1 1 tcp nonsense\r\n", "a=candidate is malformed"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Fragment fragment;
    const char *reason;
    assert_int_equal(parse(&fragment, cases[i].text, &reason), RTC_ERROR_PROTO);
    assert_non_null(reason);
    if (!strstr(reason, cases[i].reason))
      fail_msg("case %zu: %s", i, reason);
    assert_string_equal(fragment.ufrag, "untouched");
  }
}

/* A NUL is a control character, and does not end the text. */
static void nul_is_refused(void **state) {
  static const char text[] = UFRAG PWD "a=x:\0\r\n";
  Fragment fragment;
  const char *reason;
  (void)state;
  assert_int_equal(fragment_parse(&fragment, text, sizeof text - 1, &reason), RTC_ERROR_PROTO);
  assert_string_equal(reason, "a line has a control character");
}

/* 256 octets of a credential are read, 257 are too many (RFC 8839 section 5.4). */
static void credentials_have_a_longest_length(void **state) {
  static const struct {
    const char *other;
    const char *name;
    const char *reason; /* a part of it */
  } cases[] = {
      {PWD, "ice-ufrag", "a=ice-ufrag is not"},
      {UFRAG, "ice-pwd", "a=ice-pwd is not"},
  };
  char text[600];
  char credential[RTC_SDP_CREDENTIAL_MAX + 1];
  (void)state;
  memset(credential, 'x', sizeof credential);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Fragment fragment;
    const char *reason;
    snprintf(text, sizeof text, "%sa=%s:%.*s\r\n", cases[i].other, cases[i].name,
             RTC_SDP_CREDENTIAL_MAX, credential);
    assert_int_equal(parse(&fragment, text, &reason), RTC_OK);
    const char *longest = i == 0 ? fragment.ufrag : fragment.pwd;
    assert_int_equal(strlen(longest), RTC_SDP_CREDENTIAL_MAX);
    snprintf(text, sizeof text, "%sa=%s:%.*s\r\n", cases[i].other, cases[i].name,
             RTC_SDP_CREDENTIAL_MAX + 1, credential);
    assert_int_equal(parse(&fragment, text, &reason), RTC_ERROR_PROTO);
    assert_non_null(strstr(reason, cases[i].reason));
  }
}

/* Cut anywhere, a fragment is read or refused, and nothing beyond its end is looked at. */
static void fragment_cut_anywhere_is_handled(void **state) {
  static const char text[] = UFRAG PWD SECTION CANDIDATE "a=end-of-candidates\r\n";
  (void)state;
  for (size_t len = 0; len < sizeof text; len++) {
    Fragment fragment;
    const char *reason;
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, text, len);
    RtcError error = fragment_parse(&fragment, copy, len, &reason);
    assert_true(error == RTC_OK || error == RTC_ERROR_PROTO);
    free(copy);
  }
}

/* The answer to a restart tells credentials and candidates under the section that speaks for the
 * bundle, which is not the rejected first one, and is a fragment itself. */
static void restart_answer_is_complete(void **state) {
  static const char candidate[] =
      "candidate:1 1 tcp 2128609279 192.0.2.1 80 typ host tcptype passive";
  static const OfferFormat opus = {.payload_type = 111};
  static const OfferFormat vp8 = {.payload_type = 96};
  OfferMedia medias[] = {
      {.kind = "application", .proto = "UDP/DTLS/SCTP", .mid = "d"},
      {.kind = "audio", .proto = "UDP/TLS/RTP/SAVPF", .mid = "0"},
      {.kind = "video", .proto = "UDP/TLS/RTP/SAVPF", .mid = "1"},
  };
  Offer offer = {.medias = medias, .media_count = 3};
  Agreement agreement = {.medias = {{NULL, NOT_AGREED}, {&opus, 0}, {&vp8, 1}}};
  RtcSdpTransport local = {.ufrag = "0local",
                           .pwd = "0123456789012345678901",
                           .setup = RTC_SETUP_PASSIVE,
                           .candidate_count = 1};
  Text head = {0};
  Text text = {0};
  Fragment fragment;
  const char *reason;
  (void)state;
  assert_int_equal(rtc_sdp_candidate_parse(&local.candidates[0], candidate, sizeof candidate - 1),
                   RTC_OK);
  fragment_write_head(&head, &offer, &agreement);
  assert_int_equal(fragment_write(&text, head.data, &local), RTC_OK);
  assert_string_equal(text.data,
                      "a=ice-lite\r\na=group:BUNDLE 0 1\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
                      "a=mid:0\r\na=ice-ufrag:0local\r\na=ice-pwd:0123456789012345678901\r\n"
                      "a=candidate:1 1 tcp 2128609279 192.0.2.1 80 typ host tcptype passive\r\n"
                      "a=end-of-candidates\r\n");
  assert_int_equal(fragment_parse(&fragment, text.data, text.len, &reason), RTC_OK);
  assert_string_equal(fragment.ufrag, local.ufrag);
  text_finish(&head);
  text_finish(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_fragments_are_read),
      cmocka_unit_test(bad_fragments_are_refused),
      cmocka_unit_test(nul_is_refused),
      cmocka_unit_test(credentials_have_a_longest_length),
      cmocka_unit_test(fragment_cut_anywhere_is_handled),
      cmocka_unit_test(restart_answer_is_complete),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
