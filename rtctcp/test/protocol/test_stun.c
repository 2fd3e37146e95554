/* Tests of protocol/stun.c. Messages are made, and answers verified, by OpenSSL's HMAC and a CRC of
 * our own, so that libnice is not its own judge. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "protocol/stun.h"
#include "support/stun_message.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(*(table)))

static const char local_ufrag[] = "evtj";
static const char remote_ufrag[] = "h6vY";
static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";

/* -- Messages -------------------------------------------------------------------------------- */

static void seal(StunPacket *message) {
  stun_add_integrity(message, password);
  stun_add_fingerprint(message);
}

/* A check as Chrome sends it, up to MESSAGE-INTEGRITY. */
static void begin_check(StunPacket *message) {
  static const uint8_t network_info[] = {0, 1, 3, 0xe7};
  static const uint8_t tie_breaker[] = {0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36};
  static const uint8_t priority[] = {0x6e, 0x7f, 0x1e, 0xff};
  stun_begin(message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(message, STUN_USERNAME, "evtj:h6vY");
  stun_add(message, STUN_GOOG_NETWORK_INFO, network_info, sizeof(network_info));
  stun_add(message, STUN_ICE_CONTROLLING, tie_breaker, sizeof(tie_breaker));
  stun_add(message, STUN_USE_CANDIDATE, NULL, 0);
  stun_add(message, STUN_PRIORITY, priority, sizeof(priority));
}

static void make_check(StunPacket *message) {
  begin_check(message);
  seal(message);
}

/* -- The server under test ------------------------------------------------------------------- */

typedef struct Fixture {
  RtcStunServer *server;
  const char *password; /* what the lookup gives */
  unsigned lookups;
} Fixture;

static int set_up(void **state) {
  Fixture *fixture = calloc(1, sizeof(*fixture));
  assert_non_null(fixture);
  assert_int_equal(rtc_stun_server_new(&fixture->server), RTC_OK);
  fixture->password = password;
  *state = fixture;
  return 0;
}

static int tear_down(void **state) {
  Fixture *fixture = *state;
  rtc_stun_server_destroy(fixture->server);
  free(fixture);
  return 0;
}

static bool is(const char *text, size_t len, const char *wanted) {
  return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

static bool look_up(const RtcStunUsername *username, const uint8_t **found, size_t *found_len,
                    void *arg) {
  Fixture *fixture = arg;
  fixture->lookups++;
  if (!is(username->local, username->local_len, local_ufrag) ||
      !is(username->remote, username->remote_len, remote_ufrag))
    return false;
  *found = (const uint8_t *)fixture->password;
  *found_len = strlen(fixture->password);
  return true;
}

static socklen_t make_address(struct sockaddr_storage *address, const char *text, uint16_t port) {
  struct sockaddr_in *ip4 = (struct sockaddr_in *)address;
  struct sockaddr_in6 *ip6 = (struct sockaddr_in6 *)address;
  memset(address, 0, sizeof(*address));
  if (inet_pton(AF_INET, text, &ip4->sin_addr) == 1) {
    ip4->sin_family = AF_INET;
    ip4->sin_port = htons(port);
    return sizeof(*ip4);
  }
  assert_int_equal(inet_pton(AF_INET6, text, &ip6->sin6_addr), 1);
  ip6->sin6_family = AF_INET6;
  ip6->sin6_port = htons(port);
  return sizeof(*ip6);
}

/* Handles octets that end where their heap block ends, so that reading on is found out. */
static void handle_from(Fixture *fixture, const uint8_t *octets, size_t len, const char *peer,
                        RtcStunOutcome *outcome) {
  struct sockaddr_storage address;
  socklen_t address_len = make_address(&address, peer, 32853);
  uint8_t *packet = malloc(len > 0 ? len : 1);
  assert_non_null(packet);
  if (len > 0)
    memcpy(packet, octets, len);
  rtc_stun_server_handle(fixture->server, RTC_STUN_ROLE_LITE, packet, len,
                         (const struct sockaddr *)&address, address_len, look_up, fixture, outcome);
  free(packet);
}

static void handle(Fixture *fixture, const StunPacket *message, RtcStunOutcome *outcome) {
  handle_from(fixture, message->octets, message->len, "192.0.2.1", outcome);
}

static void check_silent(const RtcStunOutcome *outcome, RtcStunResult result) {
  assert_int_equal(outcome->result, result);
  assert_int_equal(outcome->response_len, 0);
  assert_int_equal(outcome->error_code, 0);
}

/* Is the answer sound, and does it belong to the request? */
static void check_answer(const RtcStunOutcome *outcome, const StunPacket *request, uint16_t type) {
  assert_in_range(outcome->response_len, 28, RTC_STUN_RESPONSE_MAX);
  assert_int_equal(stun_get16(outcome->response), type);
  assert_int_equal(stun_get16(outcome->response + 2), outcome->response_len - 20);
  assert_memory_equal(outcome->response + 4, request->octets + 4, 16);
  assert_true(stun_fingerprint_is_right(outcome->response, outcome->response_len));
  assert_true(stun_padding_is_zero(outcome->response, outcome->response_len));
  assert_false(stun_has(outcome->response, outcome->response_len, STUN_USERNAME));
}

static void check_refusal(const RtcStunOutcome *outcome, const StunPacket *request, uint16_t type,
                          uint16_t code, bool signed_answer) {
  size_t len;
  check_answer(outcome, request, type);
  assert_int_equal(outcome->error_code, code);
  const uint8_t *error = stun_find(outcome->response, outcome->response_len, STUN_ERROR_CODE, &len);
  assert_non_null(error);
  assert_int_equal(error[2] * 100 + error[3], code);
  if (signed_answer)
    assert_true(stun_integrity_is_right(outcome->response, outcome->response_len, password));
  else
    assert_false(stun_has(outcome->response, outcome->response_len, STUN_INTEGRITY));
}

static void check_success(const RtcStunOutcome *outcome, const StunPacket *request) {
  assert_int_equal(outcome->result, RTC_STUN_BINDING_REQUEST);
  assert_int_equal(outcome->error_code, 0);
  check_answer(outcome, request, STUN_TYPE_BINDING_SUCCESS);
  assert_true(stun_integrity_is_right(outcome->response, outcome->response_len, password));
}

/* -- RFC 5769 -------------------------------------------------------------------------------- */

static const uint8_t rfc5769_request[] =
    "\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae"
    "\x80\x22\x00\x10\x53\x54\x55\x4e\x20\x74\x65\x73\x74\x20\x63\x6c\x69\x65\x6e\x74"
    "\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36"
    "\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20"
    "\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49"
    "\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";

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

/* The RFC's request (section 2.1) authenticates; it comes from a controlled agent, as we are. */
static void rfc5769_request_authenticates_and_conflicts(void **state) {
  RtcStunOutcome outcome;
  StunPacket message = {.len = sizeof(rfc5769_request) - 1};
  memcpy(message.octets, rfc5769_request, message.len);

  handle(*state, &message, &outcome);
  assert_int_equal(outcome.result, RTC_STUN_ROLE_CONFLICT);
  check_refusal(&outcome, &message, STUN_TYPE_BINDING_ERROR, 487, true);
}

/* Our answer carries the address as the RFC's responses do (sections 2.2 and 2.3), and these prove
 * what the tests verify with. */
static void mapped_address_is_written_as_in_rfc5769(void **state) {
  static const struct {
    const uint8_t *vector;
    size_t len;
    const char *peer;
  } cases[] = {
      {rfc5769_response_ipv4, sizeof(rfc5769_response_ipv4) - 1, "192.0.2.1"},
      {rfc5769_response_ipv6, sizeof(rfc5769_response_ipv6) - 1,
       "2001:db8:1234:5678:11:2233:4455:6677"},
      {rfc5769_response_ipv4, sizeof(rfc5769_response_ipv4) - 1, "::ffff:192.0.2.1"},
  };
  StunPacket request;
  make_check(&request);
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcStunOutcome outcome;
    size_t want_len, len;
    assert_true(stun_integrity_is_right(cases[i].vector, cases[i].len, password));
    assert_true(stun_fingerprint_is_right(cases[i].vector, cases[i].len));

    handle_from(*state, request.octets, request.len, cases[i].peer, &outcome);
    check_success(&outcome, &request);
    const uint8_t *want =
        stun_find(cases[i].vector, cases[i].len, STUN_XOR_MAPPED_ADDRESS, &want_len);
    const uint8_t *is =
        stun_find(outcome.response, outcome.response_len, STUN_XOR_MAPPED_ADDRESS, &len);
    assert_int_equal(len, want_len);
    assert_memory_equal(is - 4, want - 4, len + 4);
  }
}

/* -- Requests that are accepted -------------------------------------------------------------- */

/* A check of Chrome's, octet for octet, with its network cost attribute, authenticates. */
static void chrome_check_is_accepted_and_nominates(void **state) {
  static const uint8_t chrome_check[] =
      "\x00\x01\x00\x50\x21\x12\xa4\x42\x58\x71\x33\x4c\x6b\x50\x30\x61\x5a\x74\x37\x77"
      "\x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x00\x00\x00"
      "\xc0\x57\x00\x04\x00\x01\x03\xe7"
      "\x80\x2a\x00\x08\x8f\x1c\x3a\xb2\xe6\x54\x0d\x97"
      "\x00\x25\x00\x00"
      "\x00\x24\x00\x04\x6e\x7f\x1e\xff"
      "\x00\x08\x00\x14\xe2\xf5\x72\xef\xf2\xcb\xc8\x8b\xec\xc9\x3f\xff\x81\xa5\x8b\x1c\x7c\x43\x1e"
      "\x0e"
      "\x80\x28\x00\x04\x9e\x61\x19\x39";
  RtcStunOutcome outcome;
  StunPacket message = {.len = sizeof(chrome_check) - 1};
  memcpy(message.octets, chrome_check, message.len);

  handle(*state, &message, &outcome);
  check_success(&outcome, &message);
  assert_true(outcome.use_candidate);
  assert_int_equal(outcome.priority, 0x6e7f1eff);
}

/* Without USE-CANDIDATE and PRIORITY the request is accepted, and says so. */
static void check_without_nomination_is_accepted(void **state) {
  RtcStunOutcome outcome;
  StunPacket message;
  stun_begin(&message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(&message, STUN_USERNAME, "evtj:h6vY");
  seal(&message);
  handle(*state, &message, &outcome);
  check_success(&outcome, &message);
  assert_false(outcome.use_candidate);
  assert_int_equal(outcome.priority, 0);
}

/* Comprehension-optional attributes, known in a response only, and all that follow
 * MESSAGE-INTEGRITY change nothing (RFC 8489 sections 14, 6.3 and 14.5). */
static void attributes_to_be_ignored_are_ignored(void **state) {
  static const struct {
    uint16_t type;
    bool behind_integrity;
  } cases[] = {
      {0x8000, false}, {0x8022, false}, {0xc001, false}, {0xc05f, false},
      {0xff00, false}, {0xffff, false}, {0x0020, false}, {0x0014, false},
      {0x0025, true},  {0x0029, true},  {0x7fff, true},  {0x8029, true},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcStunOutcome outcome;
    StunPacket message;
    stun_begin(&message, STUN_TYPE_BINDING_REQUEST);
    stun_add_text(&message, STUN_USERNAME, "evtj:h6vY");
    if (!cases[i].behind_integrity)
      stun_add_text(&message, cases[i].type, "odd");
    stun_add_integrity(&message, password);
    if (cases[i].behind_integrity)
      stun_add_text(&message, cases[i].type, "odd");
    stun_add_fingerprint(&message);

    handle(*state, &message, &outcome);
    check_success(&outcome, &message);
    assert_false(outcome.use_candidate);
  }
}

/* libnice has room for 200 transactions of its own; ours never take one. */
static void nothing_is_kept_between_calls(void **state) {
  RtcStunOutcome first, outcome;
  StunPacket message;
  make_check(&message);
  handle(*state, &message, &first);
  for (int i = 0; i < 1000; i++)
    handle(*state, &message, &outcome);
  check_success(&outcome, &message);
  assert_int_equal(outcome.response_len, first.response_len);
  assert_memory_equal(outcome.response, first.response, first.response_len);
}

/* -- Requests that are refused --------------------------------------------------------------- */

static void make_without_username(StunPacket *message) {
  stun_begin(message, STUN_TYPE_BINDING_REQUEST);
  seal(message);
}

static void make_without_integrity(StunPacket *message) {
  begin_check(message);
  stun_add_fingerprint(message);
}

static void make_of_user(StunPacket *message, const char *username) {
  stun_begin(message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(message, STUN_USERNAME, username);
  seal(message);
}

static void make_without_colon(StunPacket *message) {
  make_of_user(message, "evtjh6vY");
}

static void make_with_empty_username(StunPacket *message) {
  make_of_user(message, "");
}

static void make_with_empty_local(StunPacket *message) {
  make_of_user(message, ":h6vY");
}

static void make_with_empty_remote(StunPacket *message) {
  make_of_user(message, "evtj:");
}

static void make_with_long_local(StunPacket *message) {
  char username[400] = "";
  memset(username, 'u', RTC_ICE_UFRAG_MAX + 1);
  strcat(username, ":h6vY");
  make_of_user(message, username);
}

static void make_with_long_remote(StunPacket *message) {
  char username[400] = "evtj:";
  memset(username + 5, 'u', RTC_ICE_UFRAG_MAX + 1);
  make_of_user(message, username);
}

static void make_of_other_session(StunPacket *message) {
  make_of_user(message, "evtk:h6vY");
}

static void make_of_other_peer(StunPacket *message) {
  make_of_user(message, "evtj:h6vZ");
}

static void make_with_wrong_password(StunPacket *message) {
  begin_check(message);
  stun_add_integrity(message, "VOkJxbRl1RmTxUk/WvJxBT");
  stun_add_fingerprint(message);
}

static void make_of_other_method(StunPacket *message) {
  make_check(message);
  stun_put16(message->octets, STUN_TYPE_ALLOCATE_REQUEST);
  message->len -= 32;
  seal(message);
}

static void make_of_other_method_unsigned(StunPacket *message) {
  stun_begin(message, STUN_TYPE_ALLOCATE_REQUEST);
  stun_add_fingerprint(message);
}

static void make_with_long_priority(StunPacket *message) {
  begin_check(message);
  message->len -= 8;
  stun_add(message, STUN_PRIORITY, "\0\0\0\1\0", 5);
  seal(message);
}

static void make_with_use_candidate_value(StunPacket *message) {
  stun_begin(message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(message, STUN_USERNAME, "evtj:h6vY");
  stun_add_text(message, STUN_USE_CANDIDATE, "yes");
  seal(message);
}

static void make_controlled(StunPacket *message) {
  stun_begin(message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(message, STUN_USERNAME, "evtj:h6vY");
  stun_add_text(message, STUN_ICE_CONTROLLED, "12345678");
  seal(message);
}

/* Every refusal has its code; it is signed exactly if the request was authenticated (RFC 8489
 * section 9.1.3), and the peer is told to switch its role (RFC 8445 section 7.3.1.1). */
static void refusals_are_answered(void **state) {
  enum { UNSIGNED = false, SIGNED = true, UNKNOWN_SESSION = true };
  static const struct {
    const char *name;
    void (*make)(StunPacket *message);
    uint16_t code;
    bool signed_answer;
    bool unknown_session;
  } cases[] = {
      {"no USERNAME", make_without_username, 400, UNSIGNED, false},
      {"no MESSAGE-INTEGRITY", make_without_integrity, 400, UNSIGNED, false},
      {"no colon", make_without_colon, 401, UNSIGNED, false},
      {"empty USERNAME", make_with_empty_username, 401, UNSIGNED, false},
      {"empty local ufrag", make_with_empty_local, 401, UNSIGNED, false},
      {"empty remote ufrag", make_with_empty_remote, 401, UNSIGNED, false},
      {"long local ufrag", make_with_long_local, 401, UNSIGNED, false},
      {"long remote ufrag", make_with_long_remote, 401, UNSIGNED, false},
      {"other session", make_of_other_session, 401, UNSIGNED, UNKNOWN_SESSION},
      {"other peer", make_of_other_peer, 401, UNSIGNED, UNKNOWN_SESSION},
      {"wrong password", make_with_wrong_password, 401, UNSIGNED, false},
      {"other method", make_of_other_method, 400, SIGNED, false},
      {"other method, unsigned", make_of_other_method_unsigned, 400, UNSIGNED, false},
      {"PRIORITY of 5 octets", make_with_long_priority, 400, SIGNED, false},
      {"USE-CANDIDATE with a value", make_with_use_candidate_value, 400, SIGNED, false},
      {"ICE-CONTROLLED", make_controlled, 487, SIGNED, false},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcStunOutcome outcome;
    StunPacket message;
    print_message("             %s\n", cases[i].name);
    cases[i].make(&message);
    handle(*state, &message, &outcome);
    assert_int_equal(outcome.result,
                     cases[i].code == 487 ? RTC_STUN_ROLE_CONFLICT : RTC_STUN_REFUSED);
    check_refusal(&outcome, &message, (uint16_t)(stun_get16(message.octets) | 0x0110),
                  cases[i].code, cases[i].signed_answer);
    assert_int_equal(outcome.unknown_session, cases[i].unknown_session);
    assert_false(outcome.use_candidate);
  }
}

/* Unknown comprehension-required attributes are listed, in a signed 420. */
static void unknown_required_attributes_are_listed(void **state) {
  RtcStunOutcome outcome;
  StunPacket message;
  size_t len;
  begin_check(&message);
  stun_add_text(&message, 0x0003, "a");
  stun_add_text(&message, 0x7fff, "bcd");
  stun_add_text(&message, 0xc001, "optional");
  stun_add_text(&message, 0x001c, "");
  seal(&message);

  handle(*state, &message, &outcome);
  assert_int_equal(outcome.result, RTC_STUN_REFUSED);
  check_refusal(&outcome, &message, STUN_TYPE_BINDING_ERROR, 420, true);
  const uint8_t *list =
      stun_find(outcome.response, outcome.response_len, STUN_UNKNOWN_ATTRIBUTES, &len);
  assert_non_null(list);
  assert_int_equal(len, 6);
  assert_memory_equal(list, "\x00\x03\x7f\xff\x00\x1c", 6);
}

/* A request that is full of unknown attributes gets an answer that fits. */
static void very_many_unknown_attributes_fit(void **state) {
  RtcStunOutcome outcome;
  StunPacket message;
  size_t len;
  stun_begin(&message, STUN_TYPE_BINDING_REQUEST);
  stun_add_text(&message, STUN_USERNAME, "evtj:h6vY");
  while (message.len + 4 + 32 <= RTC_STUN_LEN_MAX)
    stun_add(&message, 0x7000, NULL, 0);
  seal(&message);

  handle(*state, &message, &outcome);
  check_refusal(&outcome, &message, STUN_TYPE_BINDING_ERROR, 420, true);
  const uint8_t *list =
      stun_find(outcome.response, outcome.response_len, STUN_UNKNOWN_ATTRIBUTES, &len);
  assert_non_null(list);
  assert_int_equal(len, 64);
}

/* Who has not shown the password is told nothing of unknown attributes. */
static void unknown_attribute_of_a_stranger_is_401(void **state) {
  RtcStunOutcome outcome;
  StunPacket message;
  begin_check(&message);
  stun_add_text(&message, 0x7fff, "bcd");
  stun_add_integrity(&message, "not the password at all");
  stun_add_fingerprint(&message);
  handle(*state, &message, &outcome);
  check_refusal(&outcome, &message, STUN_TYPE_BINDING_ERROR, 401, false);
}

/* A lookup that gives no octets gives no password: libnice would take it for "check nothing". */
static void empty_password_never_authenticates(void **state) {
  Fixture *fixture = *state;
  RtcStunOutcome outcome;
  StunPacket message;
  begin_check(&message);
  stun_add_integrity(&message, "");
  stun_add_fingerprint(&message);
  fixture->password = "";
  handle(fixture, &message, &outcome);
  check_refusal(&outcome, &message, STUN_TYPE_BINDING_ERROR, 401, false);
}

/* -- What gets no answer --------------------------------------------------------------------- */

/* A first message that is an indication is a keep-alive: nobody is looked up. */
static void indication_is_not_answered(void **state) {
  Fixture *fixture = *state;
  RtcStunOutcome outcome;
  StunPacket message;
  stun_begin(&message, STUN_TYPE_BINDING_INDICATION);
  handle(fixture, &message, &outcome);
  check_silent(&outcome, RTC_STUN_INDICATION);

  stun_begin(&message, STUN_TYPE_BINDING_INDICATION);
  stun_add_text(&message, STUN_USERNAME, "evtj:h6vY");
  seal(&message);
  handle(fixture, &message, &outcome);
  check_silent(&outcome, RTC_STUN_INDICATION);
  assert_int_equal(fixture->lookups, 0);
}

/* An indication is sound, or it is none. */
static void unsound_indications_are_ignored(void **state) {
  RtcStunOutcome outcome;
  StunPacket message;
  stun_begin(&message, STUN_TYPE_BINDING_INDICATION);
  stun_add_text(&message, STUN_USERNAME, "user");
  stun_put16(message.octets + 22, 5);
  handle(*state, &message, &outcome);
  check_silent(&outcome, RTC_STUN_IGNORED);

  stun_begin(&message, STUN_TYPE_BINDING_INDICATION);
  message.len += 4;
  handle(*state, &message, &outcome);
  check_silent(&outcome, RTC_STUN_IGNORED);
}

/* Nothing was asked, so no response is awaited; an indication of another method says nothing. */
static void responses_and_other_indications_are_ignored(void **state) {
  static const uint16_t types[] = {
      STUN_TYPE_BINDING_SUCCESS, STUN_TYPE_BINDING_ERROR, 0x0103, 0x0113, 0x0016, 0x3eff};
  for (size_t i = 0; i < COUNT(types); i++) {
    RtcStunOutcome outcome;
    StunPacket message;
    stun_begin(&message, types[i]);
    stun_add_text(&message, STUN_USERNAME, "evtj:h6vY");
    seal(&message);
    handle(*state, &message, &outcome);
    check_silent(&outcome, RTC_STUN_IGNORED);
  }
}

static void break_cookie(StunPacket *message) {
  message->octets[4] = 0x22;
  stun_renew_fingerprint(message);
}

static void break_first_bits(StunPacket *message) {
  message->octets[0] = 0x80;
}

static void break_header_len(StunPacket *message) {
  stun_put16(message->octets + 2, message->len - 16);
}

static void break_by_octets_behind(StunPacket *message) {
  message->len += 4;
}

static void break_alignment(StunPacket *message) {
  stun_set_len(message, message->len + 1);
}

static void break_padding(StunPacket *message) {
  stun_begin(
      message,
      STUN_TYPE_BINDING_REQUEST); /* a last attribute without its padding, in a length of its own */
  stun_add(message, STUN_USERNAME, "evtj:h6vY", 9);
  stun_set_len(message, 20 + 4 + 9);
}

static void break_attribute_len(StunPacket *message) {
  stun_put16(message->octets + 22, 0xffff);
  stun_renew_fingerprint(message);
}

static void break_last_attribute_len(StunPacket *message) {
  begin_check(message);
  stun_add(message, STUN_PRIORITY, NULL, 0);
  stun_put16(message->octets + message->len - 2, 1);
}

static void break_integrity_len(StunPacket *message) {
  begin_check(message);
  stun_add(message, STUN_INTEGRITY, NULL, 0);
  stun_add_fingerprint(message);
}

static void break_long_integrity(StunPacket *message) {
  begin_check(message);
  stun_add(message, STUN_INTEGRITY, "012345678901234567890123", 24);
  stun_add_fingerprint(message);
}

static void break_fingerprint(StunPacket *message) {
  message->octets[message->len - 1] ^= 1;
}

static void break_fingerprint_len(StunPacket *message) {
  message->len -= 8;
  stun_add(message, STUN_FINGERPRINT, "12345678", 8);
}

static void break_fingerprint_place(StunPacket *message) {
  stun_begin(message,
             STUN_TYPE_BINDING_REQUEST); /* it covers what stands before it, and is not the last */
  stun_add_fingerprint(message);
  stun_add_text(message, STUN_USERNAME, "evtj:h6vY");
  seal(message);
}

static void break_by_no_fingerprint(StunPacket *message) {
  begin_check(message);
  stun_add_integrity(message, password);
}

static void break_by_too_long(StunPacket *message) {
  uint8_t much[RTC_STUN_LEN_MAX] = {0};
  begin_check(message);
  stun_add(message, 0xc001, much, sizeof(much));
  seal(message);
}

/* Messages that are not sound, and those without a right FINGERPRINT (RFC 8489 section 6.3), are
 * dropped before anything is looked up. */
static void unsound_messages_are_dropped(void **state) {
  static const struct {
    const char *name;
    void (*damage)(StunPacket *message);
  } cases[] = {
      {"another cookie", break_cookie},
      {"first bits not zero", break_first_bits},
      {"header's length too long", break_header_len},
      {"octets behind the message", break_by_octets_behind},
      {"length no multiple of four", break_alignment},
      {"unpadded attribute", break_padding},
      {"attribute beyond the end", break_attribute_len},
      {"last attribute beyond the end", break_last_attribute_len},
      {"empty MESSAGE-INTEGRITY", break_integrity_len},
      {"long MESSAGE-INTEGRITY", break_long_integrity},
      {"wrong FINGERPRINT", break_fingerprint},
      {"long FINGERPRINT", break_fingerprint_len},
      {"FINGERPRINT not last", break_fingerprint_place},
      {"no FINGERPRINT", break_by_no_fingerprint},
      {"too long", break_by_too_long},
  };
  Fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    RtcStunOutcome outcome;
    StunPacket message;
    print_message("             %s\n", cases[i].name);
    make_check(&message);
    cases[i].damage(&message);
    handle(fixture, &message, &outcome);
    check_silent(&outcome, RTC_STUN_IGNORED);
    assert_int_equal(fixture->lookups, 0);
  }
}

/* A request that is cut anywhere is dropped, with the header's length made to fit, too. */
static void truncated_requests_are_dropped(void **state) {
  StunPacket message;
  make_check(&message);
  for (size_t len = 0; len < message.len; len++) {
    RtcStunOutcome outcome;
    StunPacket cut = message;
    cut.len = len;
    handle(*state, &cut, &outcome);
    check_silent(&outcome, RTC_STUN_IGNORED);
    if (len < 20)
      continue;
    stun_set_len(&cut, len);
    handle(*state, &cut, &outcome);
    check_silent(&outcome, RTC_STUN_IGNORED);
  }
}

static bool is_authenticated(const RtcStunOutcome *outcome) {
  return outcome->result == RTC_STUN_BINDING_REQUEST || outcome->result == RTC_STUN_ROLE_CONFLICT ||
         stun_has(outcome->response, outcome->response_len, STUN_INTEGRITY);
}

/* No request with one bit changed is taken for the peer's: FINGERPRINT finds it, and where an
 * attacker makes that right again, MESSAGE-INTEGRITY does. */
static void no_flipped_bit_authenticates(void **state) {
  StunPacket message;
  make_check(&message);
  for (size_t bit = 0; bit < message.len * 8; bit++) {
    RtcStunOutcome outcome;
    StunPacket flipped = message;
    flipped.octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
    handle(*state, &flipped, &outcome);
    assert_false(is_authenticated(&outcome));
    assert_int_equal(outcome.response_len, 0);
    if (bit >= (message.len - 8) * 8)
      continue;
    stun_renew_fingerprint(&flipped);
    handle(*state, &flipped, &outcome);
    assert_false(is_authenticated(&outcome));
  }
}

/* -- Looking at the first octets ------------------------------------------------------------- */

/* Each beginning of a STUN message looks like one; HTTP, TLS, DTLS and RTP do not. */
static void stun_is_told_by_its_beginning(void **state) {
  static const struct {
    const char *octets;
    size_t len;
    bool stun;
  } cases[] = {
      {"GET / HTTP/1.1\r\n", 16, false},
      {"\x16\x03\x01\x02\x00\x01\x00\x01", 8, false},
      {"\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00", 11, false},
      {"\x80\x60", 2, false},
      {"\x00\x01\x00\x08\x21\x12\xa4\x42", 8, true},
      {"\x00\x01\x00\x08\x21\x12\xa4\x43", 8, false},
      {"\x00\x01\x00\x08\x20", 5, false},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++)
    assert_int_equal(rtc_stun_looks_like((const uint8_t *)cases[i].octets, cases[i].len),
                     cases[i].stun);
  for (size_t len = 0; len < sizeof(rfc5769_request); len++)
    assert_true(rtc_stun_looks_like(rfc5769_request, len));
}

/* An address that is neither IPv4 nor IPv6 can't be told to the peer: there is no answer. */
static void unknown_address_family_is_not_answered(void **state) {
  Fixture *fixture = *state;
  struct sockaddr_storage address = {.ss_family = AF_UNIX};
  RtcStunOutcome outcome;
  StunPacket message;
  make_check(&message);
  rtc_stun_server_handle(fixture->server, RTC_STUN_ROLE_LITE, message.octets, message.len,
                         (const struct sockaddr *)&address, sizeof(address), look_up, fixture,
                         &outcome);
  check_silent(&outcome, RTC_STUN_IGNORED);
}

/* destroy takes NULL. */
static void destroy_takes_null(void **state) {
  (void)state;
  rtc_stun_server_destroy(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(rfc5769_request_authenticates_and_conflicts, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(mapped_address_is_written_as_in_rfc5769, set_up, tear_down),
      cmocka_unit_test_setup_teardown(chrome_check_is_accepted_and_nominates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(check_without_nomination_is_accepted, set_up, tear_down),
      cmocka_unit_test_setup_teardown(attributes_to_be_ignored_are_ignored, set_up, tear_down),
      cmocka_unit_test_setup_teardown(nothing_is_kept_between_calls, set_up, tear_down),
      cmocka_unit_test_setup_teardown(refusals_are_answered, set_up, tear_down),
      cmocka_unit_test_setup_teardown(unknown_required_attributes_are_listed, set_up, tear_down),
      cmocka_unit_test_setup_teardown(very_many_unknown_attributes_fit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(unknown_attribute_of_a_stranger_is_401, set_up, tear_down),
      cmocka_unit_test_setup_teardown(empty_password_never_authenticates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(indication_is_not_answered, set_up, tear_down),
      cmocka_unit_test_setup_teardown(unsound_indications_are_ignored, set_up, tear_down),
      cmocka_unit_test_setup_teardown(responses_and_other_indications_are_ignored, set_up,
                                      tear_down),
      cmocka_unit_test_setup_teardown(unsound_messages_are_dropped, set_up, tear_down),
      cmocka_unit_test_setup_teardown(truncated_requests_are_dropped, set_up, tear_down),
      cmocka_unit_test_setup_teardown(no_flipped_bit_authenticates, set_up, tear_down),
      cmocka_unit_test_setup_teardown(unknown_address_family_is_not_answered, set_up, tear_down),
      cmocka_unit_test(stun_is_told_by_its_beginning),
      cmocka_unit_test(destroy_takes_null),
  };
  return cmocka_run_group_tests_name("stun", tests, NULL, NULL);
}
