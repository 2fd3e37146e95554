/* The STUN of an ICE-lite agent, on libnice's STUN library, which only this file knows.
 *
 * libnice trusts in two places: it reads 20 octets at a MESSAGE-INTEGRITY of any length, and takes
 * an empty password for "nothing to check". So the structure of a message is checked here first,
 * and libnice sees sound ones only. Its agent remembers the requests that it sends; this side sends
 * none, so nothing is kept. */
#include "protocol/stun.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <stun/stunagent.h>
#include <stun/usages/ice.h>

enum {
  HEADER_LEN = 20,
  ATTRIBUTE_HEADER_LEN = 4,
  INTEGRITY_LEN = 20,
  COMPREHENSION_OPTIONAL = 0x8000, /* and all above, RFC 8489 section 14 */
  CLASS_MASK = 0x0110,             /* RFC 8489 section 5 */
  CLASS_REQUEST = 0x0000,
  BINDING_REQUEST = 0x0001,
  BINDING_INDICATION = 0x0011,
  UNKNOWN_MAX = 32, /* of a request that are listed; the peer learns of more when it asks again */
};

static const uint8_t magic_cookie[] = {0x21, 0x12, 0xa4, 0x42};

/* The comprehension-required attributes that are understood. Those that belong into responses are
 * known but unexpected, which is to be ignored (RFC 8489 section 6.3). */
static const uint16_t known_attributes[] = {
    STUN_ATTRIBUTE_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_USERNAME,
    STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
    STUN_ATTRIBUTE_ERROR_CODE,
    STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
    STUN_ATTRIBUTE_REALM,
    STUN_ATTRIBUTE_NONCE,
    STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
    STUN_ATTRIBUTE_PRIORITY,
    STUN_ATTRIBUTE_USE_CANDIDATE,
    0, /* libnice's end mark */
};

/* ICE's attributes and the octets of their values, RFC 8445 section 16.1. */
static const struct {
  uint16_t type;
  uint16_t len;
} ice_attributes[] = {
    {STUN_ATTRIBUTE_PRIORITY, 4},
    {STUN_ATTRIBUTE_USE_CANDIDATE, 0},
    {STUN_ATTRIBUTE_ICE_CONTROLLED, 8},
    {STUN_ATTRIBUTE_ICE_CONTROLLING, 8},
};

struct RtcStunServer {
  StunAgent agent;
};

/* What a look over the attributes has found. */
typedef struct Attributes {
  bool integrity_seen; /* what follows MESSAGE-INTEGRITY is ignored, RFC 8489 section 14.5 */
  bool malformed;      /* one of ICE has the wrong length */
  uint16_t unknown[UNKNOWN_MAX]; /* comprehension-required ones, in network byte order */
  size_t unknown_count;
} Attributes;

/* One request on its way to an answer. */
typedef struct Exchange {
  StunAgent *agent; /* borrowed */
  StunMessage request;
  Attributes attributes;
  RtcStunLookup lookup;
  void *arg;               /* borrowed: the lookup's */
  RtcStunOutcome *outcome; /* borrowed */
} Exchange;

RtcError rtc_stun_server_new(RtcStunServer **server) {
  RtcStunServer *made = calloc(1, sizeof(*made));
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  stun_agent_init(&made->agent, known_attributes, STUN_COMPATIBILITY_RFC5389,
                  STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
  *server = made;
  return RTC_OK;
}

void rtc_stun_server_destroy(RtcStunServer *server) {
  free(server);
}

bool rtc_stun_looks_like(const uint8_t *data, size_t len) {
  if (len > 0 && data[0] >> 6 != 0)
    return false;
  if (len <= STUN_MESSAGE_TRANS_ID_POS)
    return true;
  size_t come = len - STUN_MESSAGE_TRANS_ID_POS;
  if (come > sizeof(magic_cookie))
    come = sizeof(magic_cookie);
  return memcmp(data + STUN_MESSAGE_TRANS_ID_POS, magic_cookie, come) == 0;
}

/* -- Structure ------------------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

static size_t padding(size_t len) {
  return (4 - len % 4) % 4;
}

static bool is_whole_message(const uint8_t *packet, size_t len) {
  return len >= HEADER_LEN && len <= RTC_STUN_LEN_MAX && len % 4 == 0 &&
         rtc_stun_looks_like(packet, len) &&
         get16(packet + STUN_MESSAGE_LENGTH_POS) == len - HEADER_LEN;
}

static bool is_known(uint16_t type) {
  for (const uint16_t *known = known_attributes; *known; known++)
    if (*known == type)
      return true;
  return type >= COMPREHENSION_OPTIONAL;
}

static bool is_malformed(uint16_t type, uint16_t len) {
  for (size_t i = 0; i < sizeof(ice_attributes) / sizeof(*ice_attributes); i++)
    if (ice_attributes[i].type == type)
      return ice_attributes[i].len != len;
  return false;
}

static void note_attribute(Attributes *attributes, uint16_t type, uint16_t len) {
  if (attributes->integrity_seen)
    return;
  attributes->integrity_seen = type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY;
  attributes->malformed |= is_malformed(type, len);
  if (!is_known(type) && attributes->unknown_count < UNKNOWN_MAX)
    attributes->unknown[attributes->unknown_count++] = htons(type);
}

/* Walks over the attributes of a whole message. False: one reaches beyond the end, or is a
 * MESSAGE-INTEGRITY that can't be one (RFC 8489 section 14.5). */
static bool scan_attributes(Attributes *attributes, const uint8_t *packet, size_t len) {
  size_t at = HEADER_LEN;
  while (at < len) {
    uint16_t type = get16(packet + at);
    uint16_t value_len = get16(packet + at + STUN_ATTRIBUTE_TYPE_LEN);
    at += ATTRIBUTE_HEADER_LEN;
    if (value_len + padding(value_len) > len - at)
      return false;
    at += value_len + padding(value_len);
    if (type == STUN_ATTRIBUTE_MESSAGE_INTEGRITY && value_len != INTEGRITY_LEN)
      return false;
    note_attribute(attributes, type, value_len);
  }
  return true;
}

/* -- Credentials ----------------------------------------------------------------------------- */

static bool split_username(RtcStunUsername *parts, const uint8_t *username, size_t len) {
  const uint8_t *colon = len > 0 ? memchr(username, ':', len) : NULL;
  if (!colon)
    return false;
  size_t local_len = (size_t)(colon - username);
  size_t remote_len = len - local_len - 1;
  if (local_len == 0 || local_len > RTC_ICE_UFRAG_MAX)
    return false;
  if (remote_len == 0 || remote_len > RTC_ICE_UFRAG_MAX)
    return false;
  *parts = (RtcStunUsername){
      .local = (const char *)username,
      .local_len = local_len,
      .remote = (const char *)colon + 1,
      .remote_len = remote_len,
  };
  return true;
}

/* libnice's callback. False, which becomes a 401: this USERNAME is not valid here (RFC 8489
 * section 9.1.3), either because it is not "ufrag:ufrag" or because no session has it. */
static bool find_password(StunAgent *agent, StunMessage *message, uint8_t *username,
                          uint16_t username_len, uint8_t **password, size_t *password_len,
                          void *user_data) {
  (void)agent;
  (void)message;
  Exchange *exchange = user_data;
  RtcStunUsername parts;
  if (!split_username(&parts, username, username_len))
    return false;

  const uint8_t *found = NULL;
  size_t found_len = 0;
  bool live = exchange->lookup(&parts, &found, &found_len, exchange->arg);
  if (!live || found_len == 0) {
    exchange->outcome->unknown_session = true;
    return false;
  }
  *password = (uint8_t *)found; /* libnice only reads it */
  *password_len = found_len;
  return true;
}

/* -- Answers --------------------------------------------------------------------------------- */

/* Adds MESSAGE-INTEGRITY, if the request was authenticated, and FINGERPRINT. */
static void finish_response(Exchange *exchange, StunMessage *response, RtcStunResult result) {
  size_t len = stun_agent_finish_message(exchange->agent, response, NULL, 0);
  if (len == 0)
    return;
  exchange->outcome->response_len = len;
  exchange->outcome->result = result;
}

/* The message's last value ends in padding; libnice's is spaces, RFC 8489 section 14 wants zeros.
 */
static void clear_padding(StunMessage *message, size_t value_len) {
  uint8_t *end = message->buffer + stun_message_length(message);
  memset(end - padding(value_len), 0, padding(value_len));
}

static bool append_unknown_attributes(StunMessage *response, const Attributes *attributes) {
  size_t len = attributes->unknown_count * sizeof(attributes->unknown[0]);
  StunMessageReturn appended = stun_message_append_bytes(
      response, STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES, attributes->unknown, len);
  if (appended != STUN_MESSAGE_RETURN_SUCCESS)
    return false;
  clear_padding(response, len);
  return true;
}

static void refuse(Exchange *exchange, StunError code) {
  RtcStunOutcome *outcome = exchange->outcome;
  StunMessage response;
  if (!stun_agent_init_error(exchange->agent, &response, outcome->response,
                             sizeof(outcome->response), &exchange->request, code))
    return;
  clear_padding(&response, strlen(stun_strerror(code)));
  if (code == STUN_ERROR_UNKNOWN_ATTRIBUTE &&
      !append_unknown_attributes(&response, &exchange->attributes))
    return;
  outcome->error_code = (uint16_t)code;
  finish_response(exchange, &response,
                  code == STUN_ERROR_ROLE_CONFLICT ? RTC_STUN_ROLE_CONFLICT : RTC_STUN_REFUSED);
}

/* The address as it is written: an IPv4-mapped one, as a dual-stack socket gives it, is IPv4. */
static bool mapped_address(struct sockaddr_storage *address, socklen_t *address_len,
                           const struct sockaddr *from, socklen_t from_len) {
  if (from_len > sizeof(*address))
    return false;
  memset(address, 0, sizeof(*address));
  memcpy(address, from, from_len);
  *address_len = from_len;

  const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)address;
  if (ip6->sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&ip6->sin6_addr))
    return true;
  struct sockaddr_in ip4 = {.sin_family = AF_INET, .sin_port = ip6->sin6_port};
  memcpy(&ip4.sin_addr, ip6->sin6_addr.s6_addr + 12, sizeof(ip4.sin_addr));
  memcpy(address, &ip4, sizeof(ip4));
  *address_len = sizeof(ip4);
  return true;
}

static void accept_request(Exchange *exchange, const struct sockaddr *from, socklen_t from_len) {
  RtcStunOutcome *outcome = exchange->outcome;
  struct sockaddr_storage address;
  socklen_t address_len;
  if (!mapped_address(&address, &address_len, from, from_len))
    return;

  StunMessage response;
  if (!stun_agent_init_response(exchange->agent, &response, outcome->response,
                                sizeof(outcome->response), &exchange->request))
    return;
  if (stun_message_append_xor_addr(&response, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &address,
                                   address_len) != STUN_MESSAGE_RETURN_SUCCESS)
    return;
  outcome->use_candidate = stun_usage_ice_conncheck_use_candidate(&exchange->request);
  outcome->priority = stun_usage_ice_conncheck_priority(&exchange->request);
  finish_response(exchange, &response, RTC_STUN_BINDING_REQUEST);
}

/* -- Requests -------------------------------------------------------------------------------- */

/* Answers a binding request whose sender is known to have the password. */
static void answer_authenticated(Exchange *exchange, const struct sockaddr *from,
                                 socklen_t from_len) {
  if (exchange->attributes.unknown_count > 0)
    refuse(exchange, STUN_ERROR_UNKNOWN_ATTRIBUTE);
  else if (exchange->attributes.malformed)
    refuse(exchange, STUN_ERROR_BAD_REQUEST);
  else if (stun_message_has_attribute(&exchange->request, STUN_ATTRIBUTE_ICE_CONTROLLED))
    /* RFC 8445 section 7.3.1.1. The tie-breakers don't matter: a lite agent can't be controlling
     * (section 6.1.1), so it is always the peer that has to switch. */
    refuse(exchange, STUN_ERROR_ROLE_CONFLICT);
  else
    accept_request(exchange, from, from_len);
}

/* Answers a request by what libnice found. Connectivity checks use FINGERPRINT (RFC 8445 section
 * 7.1); without one that is right the message is silently discarded (RFC 8489 section 6.3): it is
 * damaged, or no STUN at all. */
static void answer(Exchange *exchange, StunValidationStatus status, const struct sockaddr *from,
                   socklen_t from_len) {
  switch (status) {
  case STUN_VALIDATION_SUCCESS:
  case STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE: /* also of one behind MESSAGE-INTEGRITY */
    answer_authenticated(exchange, from, from_len);
    return;
  case STUN_VALIDATION_UNAUTHORIZED_BAD_REQUEST: /* no USERNAME or no MESSAGE-INTEGRITY */
    refuse(exchange, STUN_ERROR_BAD_REQUEST);
    return;
  case STUN_VALIDATION_UNAUTHORIZED:
    refuse(exchange, STUN_ERROR_UNAUTHORIZED);
    return;
  default:
    return;
  }
}

void rtc_stun_server_handle(RtcStunServer *server, const uint8_t *packet, size_t len,
                            const struct sockaddr *from, socklen_t from_len, RtcStunLookup lookup,
                            void *arg, RtcStunOutcome *outcome) {
  Exchange exchange = {.agent = &server->agent, .lookup = lookup, .arg = arg, .outcome = outcome};
  *outcome = (RtcStunOutcome){.result = RTC_STUN_IGNORED};
  if (!is_whole_message(packet, len) || !scan_attributes(&exchange.attributes, packet, len))
    return;

  uint16_t type = get16(packet);
  if (type == BINDING_INDICATION)
    outcome->result = RTC_STUN_INDICATION;
  if ((type & CLASS_MASK) != CLASS_REQUEST)
    return;

  StunValidationStatus status =
      stun_agent_validate(&server->agent, &exchange.request, packet, len, find_password, &exchange);
  /* RFC 8489 section 6.3 would drop other methods as well, after the peer's retransmissions; over
   * TCP there are none, so that a TURN client that has come to the wrong port is told. */
  if (type != BINDING_REQUEST && status != STUN_VALIDATION_BAD_REQUEST)
    refuse(&exchange, STUN_ERROR_BAD_REQUEST);
  else
    answer(&exchange, status, from, from_len);
}
