/* Tests of protocol/stun_client.c. Requests are verified, and responses made, by OpenSSL's HMAC and
 * a CRC of our own, so that libnice is not its own judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/stun.h"
#include "protocol/stun_client.h"
#include "support/stun_message.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

enum {
  HEADER_LEN = 20,
  ID_AT = 8,
};

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";

static const RtcStunCheck plain_check = {
    .remote_ufrag = "evtj",
    .local_ufrag = "h6vYx",
    .remote_pwd = password,
    .priority = 0x6e7f1eff,
    .tie_breaker = RTC_STUN_TIE_BREAKER(0x932ff9b151263b36),
};

/* The transaction of RFC 5769, which stun_begin's messages have too. */
static const RtcStunTransaction rfc5769_transaction = {
    {0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae}};

static int set_up(void **state) {
  return rtc_stun_client_new((RtcStunClient **)state) == RTC_OK ? 0 : -1;
}

static int tear_down(void **state) {
  rtc_stun_client_destroy(*state);
  return 0;
}

/* -- Requests -------------------------------------------------------------------------------- */

static void write_request(RtcStunClient *client, const RtcStunCheck *check, StunPacket *request,
                          RtcStunTransaction *transaction) {
  assert_int_equal(
      rtc_stun_client_request(client, check, request->octets, &request->len, transaction), RTC_OK);
  assert_true(request->len <= RTC_STUN_REQUEST_MAX);
}

static void assert_value(const StunPacket *packet, uint16_t type, const void *value, size_t len) {
  size_t is_len;
  const uint8_t *is = stun_find(packet->octets, packet->len, type, &is_len);
  assert_non_null(is);
  assert_int_equal(is_len, len);
  assert_memory_equal(is, value, len);
}

/* All that RFC 8445 section 7.1 and 7.2.2 want, and nothing that only a nomination has. */
static void a_request_is_a_check_of_a_controlling_agent(void **state) {
  StunPacket request;
  RtcStunTransaction transaction;
  write_request(*state, &plain_check, &request, &transaction);
  assert_int_equal(stun_get16(request.octets), STUN_TYPE_BINDING_REQUEST);
  assert_int_equal(stun_get16(request.octets + 2), request.len - HEADER_LEN);
  assert_memory_equal(request.octets + 4, "\x21\x12\xa4\x42", 4);
  assert_memory_equal(request.octets + ID_AT, transaction.id, sizeof transaction.id);
  assert_value(&request, STUN_USERNAME, "evtj:h6vYx", 10);
  assert_value(&request, STUN_PRIORITY, "\x6e\x7f\x1e\xff", 4);
  assert_value(&request, STUN_ICE_CONTROLLING, "\xff\xff\xf9\xb1\x51\x26\x3b\x36", 8);
  assert_false(stun_has(request.octets, request.len, STUN_ICE_CONTROLLED));
  assert_false(stun_has(request.octets, request.len, STUN_USE_CANDIDATE));
  assert_true(stun_integrity_is_right(request.octets, request.len, password));
  assert_true(stun_fingerprint_is_right(request.octets, request.len));
  assert_true(stun_padding_is_zero(request.octets, request.len));
}

static void a_nomination_has_use_candidate(void **state) {
  StunPacket request;
  RtcStunTransaction transaction;
  RtcStunCheck check = plain_check;
  check.use_candidate = true;
  write_request(*state, &check, &request, &transaction);
  assert_value(&request, STUN_USE_CANDIDATE, "", 0);
  assert_true(stun_integrity_is_right(request.octets, request.len, password));
}

/* The longest ufrags and password that SDP allows fit. */
static void the_longest_request_fits(void **state) {
  char text[RTC_ICE_UFRAG_MAX + 1];
  StunPacket request;
  RtcStunTransaction transaction;
  RtcStunCheck check = plain_check;
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  check.use_candidate = true;
  check.remote_ufrag = check.local_ufrag = check.remote_pwd = text;
  write_request(*state, &check, &request, &transaction);
  assert_true(stun_integrity_is_right(request.octets, request.len, text));
  assert_true(stun_fingerprint_is_right(request.octets, request.len));
}

static void what_can_not_be_asked_is_refused(void **state) {
  char long_text[RTC_ICE_UFRAG_MAX + 2];
  memset(long_text, 'a', sizeof long_text - 1);
  long_text[sizeof long_text - 1] = '\0';
  const char *const remote_ufrags[] = {"", long_text, "r", "r", "r"};
  const char *const local_ufrags[] = {"l", "l", "", long_text, "l"};
  const char *const pwds[] = {"p", "p", "p", "p", ""};
  for (size_t i = 0; i < COUNT(pwds); i++) {
    uint8_t request[RTC_STUN_REQUEST_MAX];
    size_t len;
    RtcStunTransaction transaction;
    const RtcStunCheck check = {
        .remote_ufrag = remote_ufrags[i], .local_ufrag = local_ufrags[i], .remote_pwd = pwds[i]};
    assert_int_equal(rtc_stun_client_request(*state, &check, request, &len, &transaction),
                     RTC_ERROR_INVALID_ARGUMENT);
  }
}

/* libnice's table of sent requests has 200 places; none is taken for longer than a call. */
static void nothing_is_kept_between_calls(void **state) {
  RtcStunTransaction before = {{0}};
  for (int i = 0; i < 1000; i++) {
    StunPacket request;
    RtcStunTransaction transaction;
    write_request(*state, &plain_check, &request, &transaction);
    assert_memory_not_equal(transaction.id, before.id, sizeof before.id);
    before = transaction;
  }
}

/* -- Responses ------------------------------------------------------------------------------- */

static const uint8_t rfc5769_response_ipv4[] =
    "\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
    "\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43"
    "\x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53"
    "\xf0\x6b\xe7\xd7\x80\x28\x00\x04\xc0\x7d\x4c\x96";

static const uint8_t rfc5769_response_ipv6[] =
    "\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20"
    "\x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5"
    "\xbe\xd2\xb9\xd9"
    "\x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75"
    "\xbf\xe3\xed\x41\x80\x28\x00\x04\xc8\xfb\x0b\x4c";

/* Validates octets that end where their heap block ends, so that reading on is found out. */
static RtcStunResponse validate(RtcStunClient *client, const char *pwd, const uint8_t *octets,
                                size_t len) {
  uint8_t *packet = malloc(len > 0 ? len : 1);
  assert_non_null(packet);
  if (len > 0)
    memcpy(packet, octets, len);
  RtcStunResponse response =
      rtc_stun_client_response(client, &rfc5769_transaction, pwd, packet, len, NULL);
  free(packet);
  return response;
}

static RtcStunResponse validate_packet(RtcStunClient *client, const StunPacket *packet) {
  return validate(client, password, packet->octets, packet->len);
}

static void responses_of_rfc5769_are_right(void **state) {
  const struct {
    const uint8_t *octets;
    size_t len;
  } vectors[] = {{rfc5769_response_ipv4, sizeof rfc5769_response_ipv4 - 1},
                 {rfc5769_response_ipv6, sizeof rfc5769_response_ipv6 - 1}};
  for (size_t i = 0; i < COUNT(vectors); i++) {
    assert_int_equal(validate(*state, password, vectors[i].octets, vectors[i].len),
                     RTC_STUN_RESPONSE_SUCCESS);
    assert_int_equal(validate(*state, "VOkJxbRl1RmTxUk/WvJxBT", vectors[i].octets, vectors[i].len),
                     RTC_STUN_RESPONSE_IGNORED);
    /* libnice would take an empty password for "nothing to check". */
    assert_int_equal(validate(*state, "", vectors[i].octets, vectors[i].len),
                     RTC_STUN_RESPONSE_IGNORED);
  }
}

static void another_transaction_is_not_this_one(void **state) {
  RtcStunTransaction other = rfc5769_transaction;
  for (size_t i = 0; i < sizeof other.id; i++) {
    other.id[i] ^= 1;
    assert_int_equal(rtc_stun_client_response(*state, &other, password, rfc5769_response_ipv4,
                                              sizeof rfc5769_response_ipv4 - 1, NULL),
                     RTC_STUN_RESPONSE_IGNORED);
    other.id[i] ^= 1;
  }
}

static void truncated_responses_are_ignored(void **state) {
  for (size_t len = 0; len < sizeof rfc5769_response_ipv4 - 1; len++)
    assert_int_equal(validate(*state, password, rfc5769_response_ipv4, len),
                     RTC_STUN_RESPONSE_IGNORED);
}

/* With the FINGERPRINT made right again, too: MESSAGE-INTEGRITY alone must find it. */
static void no_flipped_bit_is_taken(void **state) {
  StunPacket packet = {.len = sizeof rfc5769_response_ipv4 - 1};
  for (size_t bit = 0; bit < packet.len * 8; bit++) {
    memcpy(packet.octets, rfc5769_response_ipv4, packet.len);
    packet.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_SUCCESS);
    if (bit / 8 >= packet.len - 8)
      continue;
    stun_renew_fingerprint(&packet);
    assert_int_not_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_SUCCESS);
  }
}

/* What libnice would let through: it checks MESSAGE-INTEGRITY only where there is one. */
static void a_success_must_prove_the_password(void **state) {
  static const uint8_t address[] = {0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43};
  StunPacket packet;
  stun_begin(&packet, STUN_TYPE_BINDING_SUCCESS);
  stun_add(&packet, STUN_XOR_MAPPED_ADDRESS, address, sizeof address);
  stun_add_fingerprint(&packet);
  assert_int_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_IGNORED);

  stun_begin(&packet, STUN_TYPE_BINDING_SUCCESS);
  stun_add(&packet, STUN_XOR_MAPPED_ADDRESS, address, sizeof address);
  stun_add_integrity(&packet, password);
  assert_int_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_IGNORED);
  stun_add_fingerprint(&packet);
  assert_int_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_SUCCESS);

  stun_begin(&packet, STUN_TYPE_BINDING_SUCCESS);
  stun_add(&packet, 0x0007, address, sizeof address); /* unknown, and must be understood */
  stun_add_integrity(&packet, password);
  stun_add_fingerprint(&packet);
  assert_int_equal(validate_packet(*state, &packet), RTC_STUN_RESPONSE_REFUSED);
}

static RtcStunResponse refuse(RtcStunClient *client, uint8_t code_class, uint8_t number,
                              const char *pwd, uint16_t *error_code) {
  const uint8_t value[] = {0, 0, code_class, number};
  StunPacket packet;
  stun_begin(&packet, STUN_TYPE_BINDING_ERROR);
  stun_add(&packet, STUN_ERROR_CODE, value, sizeof value);
  if (pwd)
    stun_add_integrity(&packet, pwd);
  stun_add_fingerprint(&packet);
  return rtc_stun_client_response(client, &rfc5769_transaction, password, packet.octets, packet.len,
                                  error_code);
}

/* 400 and 401 can't be authenticated; what else a stranger says is not heard. */
static void refusals_are_told(void **state) {
  uint16_t code;
  assert_int_equal(refuse(*state, 4, 1, NULL, &code), RTC_STUN_RESPONSE_REFUSED);
  assert_int_equal(code, 401);
  assert_int_equal(refuse(*state, 4, 0, NULL, &code), RTC_STUN_RESPONSE_REFUSED);
  assert_int_equal(code, 400);
  assert_int_equal(refuse(*state, 4, 87, password, &code), RTC_STUN_RESPONSE_ROLE_CONFLICT);
  assert_int_equal(code, 487);
  assert_int_equal(refuse(*state, 5, 0, password, &code), RTC_STUN_RESPONSE_REFUSED);
  assert_int_equal(code, 500);
  assert_int_equal(refuse(*state, 4, 87, NULL, &code), RTC_STUN_RESPONSE_IGNORED);
  assert_int_equal(code, 0);
  assert_int_equal(refuse(*state, 4, 87, "another", &code), RTC_STUN_RESPONSE_IGNORED);
  assert_int_equal(refuse(*state, 5, 0, NULL, &code), RTC_STUN_RESPONSE_IGNORED);
}

static void requests_are_no_responses(void **state) {
  StunPacket request;
  RtcStunTransaction transaction;
  write_request(*state, &plain_check, &request, &transaction);
  assert_false(rtc_stun_is_response(request.octets, request.len));
  assert_true(rtc_stun_is_response(rfc5769_response_ipv4, sizeof rfc5769_response_ipv4 - 1));
  assert_false(rtc_stun_is_response(rfc5769_response_ipv4, HEADER_LEN - 1));
  assert_int_equal(
      rtc_stun_client_response(*state, &transaction, password, request.octets, request.len, NULL),
      RTC_STUN_RESPONSE_IGNORED);
}

/* -- Both halves of the library -------------------------------------------------------------- */

static bool find_password(const RtcStunUsername *username, const uint8_t **found, size_t *len,
                          void *arg) {
  (void)username;
  (void)arg;
  *found = (const uint8_t *)password;
  *len = sizeof password - 1;
  return true;
}

/* The answering side takes a check of the asking one in ICE-lite's role, and refuses it where it
 * controls itself; its answers are understood. */
static void the_answering_side_answers(void **state) {
  const struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(9)};
  const struct {
    RtcStunRole role;
    RtcStunResult result;
    RtcStunResponse response;
  } cases[] = {
      {RTC_STUN_ROLE_LITE, RTC_STUN_BINDING_REQUEST, RTC_STUN_RESPONSE_SUCCESS},
      {RTC_STUN_ROLE_CONTROLLING, RTC_STUN_ROLE_CONFLICT, RTC_STUN_RESPONSE_ROLE_CONFLICT}};
  RtcStunServer *server;
  assert_int_equal(rtc_stun_server_new(&server), RTC_OK);
  for (size_t i = 0; i < COUNT(cases); i++) {
    StunPacket request;
    RtcStunTransaction transaction;
    RtcStunOutcome outcome;
    write_request(*state, &plain_check, &request, &transaction);
    rtc_stun_server_handle(server, cases[i].role, request.octets, request.len,
                           (const struct sockaddr *)&from, sizeof from, find_password, NULL,
                           &outcome);
    assert_int_equal(outcome.result, cases[i].result);
    assert_int_equal(rtc_stun_client_response(*state, &transaction, password, outcome.response,
                                              outcome.response_len, NULL),
                     cases[i].response);
  }
  rtc_stun_server_destroy(server);
}

static void destroy_takes_null(void **state) {
  (void)state;
  rtc_stun_client_destroy(NULL);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_request_is_a_check_of_a_controlling_agent),
      TEST(a_nomination_has_use_candidate),
      TEST(the_longest_request_fits),
      TEST(what_can_not_be_asked_is_refused),
      TEST(nothing_is_kept_between_calls),
      TEST(responses_of_rfc5769_are_right),
      TEST(another_transaction_is_not_this_one),
      TEST(truncated_responses_are_ignored),
      TEST(no_flipped_bit_is_taken),
      TEST(a_success_must_prove_the_password),
      TEST(refusals_are_told),
      TEST(requests_are_no_responses),
      TEST(the_answering_side_answers),
      cmocka_unit_test(destroy_takes_null),
  };
  return cmocka_run_group_tests_name("stun_client", tests, NULL, NULL);
}
