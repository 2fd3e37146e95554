/* The asking side of ICE's STUN, on libnice's STUN library.
 *
 * libnice's agent has a table of the requests that await a response, 200 of them, and scans it. A
 * worker has thousands of sessions, and each conn awaits one response at most. So the table holds
 * one entry, for the length of a call: a request is forgotten as soon as it is written, and the
 * transaction that a response must belong to is entered for its validation. */
#include "protocol/stun_client.h"

#include "protocol/stun.h"
#include "protocol/stun_structure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stun/stunagent.h>

#define USERNAME_MAX (2 * RTC_ICE_UFRAG_MAX + 1)

_Static_assert(RTC_STUN_TRANSACTION_AT + RTC_STUN_TRANSACTION_LEN == RTC_STUN_HEADER_LEN,
               "the transaction id ends the header");
/* Header; USERNAME; PRIORITY 8, ICE-CONTROLLING 12, USE-CANDIDATE 4, MESSAGE-INTEGRITY 24,
 * FINGERPRINT 8. */
_Static_assert(RTC_STUN_HEADER_LEN + 4 + USERNAME_MAX + 3 + 56 <= RTC_STUN_REQUEST_MAX,
               "any request fits");

struct RtcStunClient {
  StunAgent agent;
};

RtcError rtc_stun_client_new(RtcStunClient **client) {
  RtcStunClient *made = calloc(1, sizeof(*made));
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  stun_agent_init(&made->agent, rtc_stun_known_attributes, STUN_COMPATIBILITY_RFC5389,
                  STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
  *client = made;
  return RTC_OK;
}

void rtc_stun_client_destroy(RtcStunClient *client) {
  free(client);
}

/* -- Requests -------------------------------------------------------------------------------- */

static bool is_ufrag(const char *text) {
  size_t len = strlen(text);
  return len > 0 && len <= RTC_ICE_UFRAG_MAX;
}

/* libnice pads with spaces; RFC 8489 section 14 wants zeros. */
static bool append_username(StunMessage *request, const RtcStunCheck *check) {
  char username[USERNAME_MAX + 1];
  int len = snprintf(username, sizeof(username), "%s:%s", check->remote_ufrag, check->local_ufrag);
  if (stun_message_append_bytes(request, STUN_ATTRIBUTE_USERNAME, username, (size_t)len) !=
      STUN_MESSAGE_RETURN_SUCCESS)
    return false;
  size_t padding = rtc_stun_padding((size_t)len);
  memset(request->buffer + stun_message_length(request) - padding, 0, padding);
  return true;
}

static bool append_attributes(StunMessage *request, const RtcStunCheck *check) {
  return append_username(request, check) &&
         stun_message_append32(request, STUN_ATTRIBUTE_PRIORITY, check->priority) ==
             STUN_MESSAGE_RETURN_SUCCESS &&
         stun_message_append64(request, STUN_ATTRIBUTE_ICE_CONTROLLING, check->tie_breaker) ==
             STUN_MESSAGE_RETURN_SUCCESS &&
         (!check->use_candidate ||
          stun_message_append_flag(request, STUN_ATTRIBUTE_USE_CANDIDATE) ==
              STUN_MESSAGE_RETURN_SUCCESS);
}

RtcError rtc_stun_client_request(RtcStunClient *client, const RtcStunCheck *check, uint8_t *request,
                                 size_t *len, RtcStunTransaction *transaction) {
  StunMessage message;
  StunTransactionId id;
  if (!is_ufrag(check->remote_ufrag) || !is_ufrag(check->local_ufrag) || !*check->remote_pwd)
    return RTC_ERROR_INVALID_ARGUMENT;
  if (!stun_agent_init_request(&client->agent, &message, request, RTC_STUN_REQUEST_MAX,
                               STUN_BINDING) ||
      !append_attributes(&message, check))
    return RTC_ERROR_INVALID_ARGUMENT;
  *len = stun_agent_finish_message(&client->agent, &message, (const uint8_t *)check->remote_pwd,
                                   strlen(check->remote_pwd));
  stun_message_id(&message, id);
  stun_agent_forget_transaction(&client->agent, id);
  memcpy(transaction->id, request + RTC_STUN_TRANSACTION_AT, sizeof(transaction->id));
  return *len > 0 ? RTC_OK : RTC_ERROR_INVALID_ARGUMENT;
}

/* -- Responses ------------------------------------------------------------------------------- */

bool rtc_stun_is_response(const uint8_t *packet, size_t len) {
  if (len < RTC_STUN_HEADER_LEN)
    return false;
  unsigned class = rtc_stun_get16(packet) & RTC_STUN_CLASS_MASK;
  return class == RTC_STUN_CLASS_SUCCESS || class == RTC_STUN_CLASS_ERROR;
}

static bool is_of(const RtcStunTransaction *transaction, const uint8_t *packet) {
  return memcmp(packet + RTC_STUN_TRANSACTION_AT, transaction->id, sizeof(transaction->id)) == 0;
}

/* libnice's judgement of the response; it knows the transaction during this call only. */
static StunValidationStatus validate(StunAgent *agent, StunMessage *response,
                                     const char *remote_pwd, const uint8_t *packet, size_t len) {
  StunAgentSavedIds *awaited = &agent->sent_ids[0];
  *awaited = (StunAgentSavedIds){
      .method = STUN_BINDING,
      .key = (uint8_t *)remote_pwd, /* libnice only reads it */
      .key_len = strlen(remote_pwd),
      .valid = true,
  };
  memcpy(awaited->id, packet + RTC_STUN_HEADER_LEN - sizeof(awaited->id), sizeof(awaited->id));
  StunValidationStatus status = stun_agent_validate(agent, response, packet, len, NULL, NULL);
  *awaited = (StunAgentSavedIds){.valid = false};
  return status;
}

/* An error that says 400 or 401 has no MESSAGE-INTEGRITY, for its sender does not know by what: who
 * could forge one on a TCP conn, could cut it as well. */
static RtcStunResponse judge_error(StunMessage *response, StunValidationStatus status,
                                   bool authenticated, uint16_t *error_code) {
  int code;
  if (status != STUN_VALIDATION_SUCCESS && status != STUN_VALIDATION_UNKNOWN_ATTRIBUTE)
    return RTC_STUN_RESPONSE_IGNORED;
  if (stun_message_find_error(response, &code) != STUN_MESSAGE_RETURN_SUCCESS)
    return RTC_STUN_RESPONSE_IGNORED;
  bool needs_none = code == STUN_ERROR_BAD_REQUEST || code == STUN_ERROR_UNAUTHORIZED;
  if (!authenticated && !needs_none)
    return RTC_STUN_RESPONSE_IGNORED;
  *error_code = (uint16_t)code;
  return code == STUN_ERROR_ROLE_CONFLICT ? RTC_STUN_RESPONSE_ROLE_CONFLICT
                                          : RTC_STUN_RESPONSE_REFUSED;
}

RtcStunResponse rtc_stun_client_response(RtcStunClient *client,
                                         const RtcStunTransaction *transaction,
                                         const char *remote_pwd, const uint8_t *packet, size_t len,
                                         uint16_t *error_code) {
  RtcStunAttributes attributes = {0};
  StunMessage response;
  uint16_t ignored;
  uint16_t *code = error_code ? error_code : &ignored;
  *code = 0;
  if (!*remote_pwd || !rtc_stun_is_response(packet, len) ||
      !rtc_stun_scan(&attributes, packet, len) || !is_of(transaction, packet))
    return RTC_STUN_RESPONSE_IGNORED;
  StunValidationStatus status = validate(&client->agent, &response, remote_pwd, packet, len);
  if ((rtc_stun_get16(packet) & RTC_STUN_CLASS_MASK) == RTC_STUN_CLASS_ERROR)
    return judge_error(&response, status, attributes.integrity_seen, code);
  /* libnice checks MESSAGE-INTEGRITY where there is one. An unknown attribute that must be
   * understood fails the transaction (RFC 8489 section 6.3.3). */
  if (!attributes.integrity_seen)
    return RTC_STUN_RESPONSE_IGNORED;
  if (status == STUN_VALIDATION_UNKNOWN_ATTRIBUTE || attributes.unknown_count > 0)
    return RTC_STUN_RESPONSE_REFUSED;
  return status == STUN_VALIDATION_SUCCESS ? RTC_STUN_RESPONSE_SUCCESS : RTC_STUN_RESPONSE_IGNORED;
}
