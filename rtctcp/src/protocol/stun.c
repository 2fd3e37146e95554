/* The answering side of ICE's STUN, on libnice's STUN library. Its agent remembers the requests
 * that it sends; here none are sent, so nothing is kept. */
#include "protocol/stun.h"

#include "protocol/stun_structure.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <stun/stunagent.h>
#include <stun/usages/ice.h>

enum {
  BINDING_REQUEST = 0x0001, /* RFC 8489 section 5 */
  BINDING_INDICATION = 0x0011,
};

struct RtcStunServer {
  StunAgent agent;
};

/* One request on its way to an answer. */
typedef struct Exchange {
  StunAgent *agent; /* borrowed */
  StunMessage request;
  RtcStunAttributes attributes;
  RtcStunRole role;
  RtcStunLookup lookup;
  void *arg;               /* borrowed: the lookup's */
  RtcStunOutcome *outcome; /* borrowed */
} Exchange;

RtcError rtc_stun_server_new(RtcStunServer **server) {
  RtcStunServer *made = calloc(1, sizeof(*made));
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  stun_agent_init(&made->agent, rtc_stun_known_attributes, STUN_COMPATIBILITY_RFC5389,
                  STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
  *server = made;
  return RTC_OK;
}

void rtc_stun_server_destroy(RtcStunServer *server) {
  free(server);
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
  memset(end - rtc_stun_padding(value_len), 0, rtc_stun_padding(value_len));
}

static bool append_unknown_attributes(StunMessage *response, const RtcStunAttributes *attributes) {
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

/* RFC 8445 section 7.3.1.1. The tie-breakers don't matter: a lite agent can't be controlling
 * (section 6.1.1), and a controlling side of this library has the higher one (see stun_client.h),
 * so it is always the peer that has to switch. */
static StunAttribute conflicting_role(RtcStunRole role) {
  return role == RTC_STUN_ROLE_LITE ? STUN_ATTRIBUTE_ICE_CONTROLLED
                                    : STUN_ATTRIBUTE_ICE_CONTROLLING;
}

/* Answers a binding request whose sender is known to have the password. */
static void answer_authenticated(Exchange *exchange, const struct sockaddr *from,
                                 socklen_t from_len) {
  if (exchange->attributes.unknown_count > 0)
    refuse(exchange, STUN_ERROR_UNKNOWN_ATTRIBUTE);
  else if (exchange->attributes.malformed)
    refuse(exchange, STUN_ERROR_BAD_REQUEST);
  else if (stun_message_has_attribute(&exchange->request, conflicting_role(exchange->role)))
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

void rtc_stun_server_handle(RtcStunServer *server, RtcStunRole role, const uint8_t *packet,
                            size_t len, const struct sockaddr *from, socklen_t from_len,
                            RtcStunLookup lookup, void *arg, RtcStunOutcome *outcome) {
  Exchange exchange = {
      .agent = &server->agent, .role = role, .lookup = lookup, .arg = arg, .outcome = outcome};
  *outcome = (RtcStunOutcome){.result = RTC_STUN_IGNORED};
  if (!rtc_stun_scan(&exchange.attributes, packet, len))
    return;

  uint16_t type = rtc_stun_get16(packet);
  if (type == BINDING_INDICATION)
    outcome->result = RTC_STUN_INDICATION;
  if ((type & RTC_STUN_CLASS_MASK) != RTC_STUN_CLASS_REQUEST)
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
