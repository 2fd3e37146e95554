/* The test peer's STUN, on libnice's: requests right and wrong, and the check of what answers them.
 * Source: RFC 8489, RFC 8445 section 7 */
#include "support/peer_internal.h"

#include <openssl/rand.h>
#include <stun/usages/ice.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_NETWORK_COST     0xC057 /* Chrome sends it; comprehension-optional */
#define ATTRIBUTE_UNKNOWN_REQUIRED 0x0777
#define FINGERPRINT_LEN            ((size_t)8) /* the whole attribute [octets] */
#define PRIORITY_PRFLX_TCP_ACTIVE  UINT32_C(1845501695)

static const uint16_t known_attributes[] = {STUN_ATTRIBUTE_USERNAME,
                                            STUN_ATTRIBUTE_MESSAGE_INTEGRITY,
                                            STUN_ATTRIBUTE_ERROR_CODE,
                                            STUN_ATTRIBUTE_UNKNOWN_ATTRIBUTES,
                                            STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS,
                                            STUN_ATTRIBUTE_PRIORITY,
                                            STUN_ATTRIBUTE_USE_CANDIDATE,
                                            STUN_ATTRIBUTE_FINGERPRINT,
                                            STUN_ATTRIBUTE_ICE_CONTROLLED,
                                            STUN_ATTRIBUTE_ICE_CONTROLLING,
                                            0};

int peer_stun_init(RtcPeer *peer) {
  peer->agent = calloc(1, sizeof *peer->agent);
  if (!peer->agent)
    return PEER_FAILED;
  /* The agent only reads the list, although its prototype was once without the const. */
  stun_agent_init(peer->agent, known_attributes, STUN_COMPATIBILITY_RFC5389,
                  STUN_AGENT_USAGE_SHORT_TERM_CREDENTIALS | STUN_AGENT_USAGE_USE_FINGERPRINT);
  if (RAND_bytes((uint8_t *)&peer->tie_breaker, sizeof peer->tie_breaker) != 1)
    return PEER_FAILED;
  return PEER_OK;
}

/* -- Requests -- */

void peer_set_priority(RtcPeer *peer, int conn, uint32_t priority) {
  peer->conns[conn].priority = priority;
}

static bool append_username(const RtcPeer *peer, StunMessage *message, unsigned flags) {
  char username[2 * PEER_CREDENTIAL_CAP];
  const char *theirs = flags & PEER_UNKNOWN_UFRAG ? "nobodyHasThis" : peer->remote_ufrag;
  const char *own = flags & PEER_WRONG_OWN_UFRAG ? "somebodyElse" : peer->ufrag;
  int len = snprintf(username, sizeof username, "%s:%s", theirs, own);
  return stun_message_append_bytes(message, STUN_ATTRIBUTE_USERNAME, username, (size_t)len) ==
         STUN_MESSAGE_RETURN_SUCCESS;
}

static bool append_attributes(const RtcPeer *peer, StunMessage *message, int conn, unsigned flags) {
  StunAttribute role =
      flags & PEER_CONTROLLED ? STUN_ATTRIBUTE_ICE_CONTROLLED : STUN_ATTRIBUTE_ICE_CONTROLLING;
  uint32_t priority = peer->conns[conn].priority;
  if (!priority)
    priority = PRIORITY_PRFLX_TCP_ACTIVE;
  bool ok = (flags & PEER_NO_USERNAME) || append_username(peer, message, flags);
  ok = ok && !stun_message_append32(message, ATTRIBUTE_NETWORK_COST, 999);
  ok = ok && !stun_message_append64(message, role, peer->tie_breaker);
  if (flags & PEER_USE_CANDIDATE)
    ok = ok && !stun_message_append_flag(message, STUN_ATTRIBUTE_USE_CANDIDATE);
  if (flags & PEER_UNKNOWN_REQUIRED)
    ok = ok && !stun_message_append32(message, ATTRIBUTE_UNKNOWN_REQUIRED, 1);
  return ok && !stun_message_append32(message, STUN_ATTRIBUTE_PRIORITY, priority);
}

/* MESSAGE-INTEGRITY does not cover FINGERPRINT: without it, the rest is a valid message. */
static size_t cut_fingerprint(uint8_t *request, size_t len) {
  size_t body = len - FINGERPRINT_LEN - STUN_MESSAGE_HEADER_LENGTH;
  request[2] = (uint8_t)(body >> 8);
  request[3] = (uint8_t)body;
  return len - FINGERPRINT_LEN;
}

static void await_answer_to(RtcPeer *peer, int index, const StunMessage *message) {
  PeerConn *conn = &peer->conns[index];
  if (conn->requested)
    stun_agent_forget_transaction(peer->agent, conn->transaction);
  stun_message_id(message, conn->transaction);
  conn->requested = true;
}

int peer_make_request(RtcPeer *peer, int conn, unsigned flags, uint8_t request[PEER_STUN_MAX]) {
  StunMessage message;
  bool begun =
      flags & PEER_INDICATION
          ? stun_agent_init_indication(peer->agent, &message, request, PEER_STUN_MAX, STUN_BINDING)
          : stun_agent_init_request(peer->agent, &message, request, PEER_STUN_MAX, STUN_BINDING);
  const char *key = flags & PEER_BAD_INTEGRITY ? "notThePasswordOfAnybody" : peer->remote_pwd;
  if (flags & PEER_NO_INTEGRITY)
    key = NULL;
  size_t len = 0;
  if (begun && append_attributes(peer, &message, conn, flags))
    len = stun_agent_finish_message(peer->agent, &message, (const uint8_t *)key,
                                    key ? strlen(key) : 0);
  if (!len)
    return peer_fail(peer, PEER_FAILED, "libnice does not write the request");
  if (!(flags & PEER_INDICATION))
    await_answer_to(peer, conn, &message);
  if (flags & PEER_NO_FINGERPRINT)
    len = cut_fingerprint(request, len);
  if (flags & PEER_BAD_FINGERPRINT)
    request[len - 1] ^= 1;
  return (int)len;
}

int peer_send_request(RtcPeer *peer, int conn, unsigned flags) {
  uint8_t request[PEER_STUN_MAX];
  int len = peer_make_request(peer, conn, flags, request);
  return len < 0 ? len : peer_send_frame(peer, conn, request, (size_t)len);
}

/* -- Answers to them -- */

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
  if (a->ss_family != b->ss_family)
    return false;
  if (a->ss_family == AF_INET) {
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
    const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;
    return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
  }
  const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
  const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
  return a6->sin6_port == b6->sin6_port && !memcmp(&a6->sin6_addr, &b6->sin6_addr, 16);
}

static int check_success(const RtcPeer *peer, int conn, const StunMessage *answer) {
  struct sockaddr_storage mapped = {0}, own = {0};
  socklen_t mapped_len = sizeof mapped, own_len = sizeof own;
  if (!stun_message_has_attribute(answer, STUN_ATTRIBUTE_MESSAGE_INTEGRITY))
    return peer_fail(peer, PEER_BAD, "the response has no MESSAGE-INTEGRITY");
  if (stun_message_find_xor_addr(answer, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &mapped, &mapped_len) !=
      STUN_MESSAGE_RETURN_SUCCESS)
    return peer_fail(peer, PEER_BAD, "the response has no XOR-MAPPED-ADDRESS");
  if (getsockname(peer->conns[conn].fd, (struct sockaddr *)&own, &own_len) < 0)
    return peer_fail(peer, PEER_FAILED, "getsockname failed");
  if (!same_address(&mapped, &own))
    return peer_fail(peer, PEER_BAD, "XOR-MAPPED-ADDRESS is not this socket's");
  return PEER_OK;
}

static int check_answer(RtcPeer *peer, int index, const PeerFrame *frame) {
  PeerConn *conn = &peer->conns[index];
  StunMessage answer;
  StunValidationStatus status =
      stun_agent_validate(peer->agent, &answer, frame->data, frame->len, NULL, NULL);
  if (status != STUN_VALIDATION_SUCCESS)
    return peer_fail(peer, PEER_BAD, "the response does not validate: %d", (int)status);
  StunTransactionId transaction;
  stun_message_id(&answer, transaction);
  if (!conn->requested || memcmp(transaction, conn->transaction, sizeof transaction) != 0)
    return peer_fail(peer, PEER_BAD, "the response answers another request");
  conn->requested = false;
  int code;
  if (stun_message_get_class(&answer) == STUN_RESPONSE) {
    int result = check_success(peer, index, &answer);
    conn->bound = result == PEER_OK;
    return result;
  }
  if (stun_message_find_error(&answer, &code) != STUN_MESSAGE_RETURN_SUCCESS)
    return peer_fail(peer, PEER_BAD, "an error response without ERROR-CODE");
  return code;
}

int peer_await_response(RtcPeer *peer, int conn, int timeout_ms) {
  PeerFrame frame;
  int result = peer_take(peer, conn, PEER_KIND_STUN, peer_clock_ms() + timeout_ms, &frame);
  if (!peer->conns[conn].bound && peer->conns[conn].early)
    return peer_fail(peer, PEER_EARLY, "packets before the binding response");
  return result == PEER_OK ? check_answer(peer, conn, &frame) : result;
}

int peer_bind(RtcPeer *peer, int conn, unsigned flags) {
  int result = peer_send_request(peer, conn, flags);
  if (result != PEER_OK || (flags & PEER_INDICATION))
    return result;
  result = peer_await_response(peer, conn, PEER_TIMEOUT_MS);
  if (result == PEER_OK && (flags & PEER_USE_CANDIDATE))
    peer_select(peer, conn);
  return result;
}

/* -- Requests of the other side -- */

static bool find_password(StunAgent *agent, StunMessage *message, uint8_t *username,
                          uint16_t username_len, uint8_t **password, size_t *password_len,
                          void *arg) {
  (void)agent;
  (void)message;
  RtcPeer *peer = arg;
  char own[2 * PEER_CREDENTIAL_CAP];
  int len = snprintf(own, sizeof own, "%s:%s", peer->ufrag, peer->remote_ufrag);
  if (len != username_len || memcmp(own, username, username_len) != 0)
    return false;
  *password = (uint8_t *)peer->pwd;
  *password_len = strlen(peer->pwd);
  return true;
}

static size_t write_answer(RtcPeer *peer, const StunMessage *request, StunValidationStatus status,
                           int conn, uint8_t answer[PEER_STUN_MAX]) {
  StunMessage message;
  if (status == STUN_VALIDATION_UNKNOWN_REQUEST_ATTRIBUTE)
    return stun_agent_build_unknown_attributes_error(peer->agent, &message, answer, PEER_STUN_MAX,
                                                     request);
  if (status != STUN_VALIDATION_SUCCESS) {
    StunError code =
        status == STUN_VALIDATION_UNAUTHORIZED ? STUN_ERROR_UNAUTHORIZED : STUN_ERROR_BAD_REQUEST;
    return stun_agent_init_error(peer->agent, &message, answer, PEER_STUN_MAX, request, code)
               ? stun_agent_finish_message(peer->agent, &message, NULL, 0)
               : 0;
  }
  struct sockaddr_storage from = {0};
  socklen_t from_len = sizeof from;
  if (getpeername(peer->conns[conn].fd, (struct sockaddr *)&from, &from_len) < 0 ||
      !stun_agent_init_response(peer->agent, &message, answer, PEER_STUN_MAX, request) ||
      stun_message_append_xor_addr(&message, STUN_ATTRIBUTE_XOR_MAPPED_ADDRESS, &from, from_len) !=
          STUN_MESSAGE_RETURN_SUCCESS)
    return 0;
  return stun_agent_finish_message(peer->agent, &message, NULL, 0);
}

bool peer_stun_answer(RtcPeer *peer, const PeerFrame *frame) {
  /* The class is in bits 4 and 8 of the type (RFC 8489 section 5); both 0: a request. */
  if (frame->len < STUN_MESSAGE_HEADER_LENGTH || (frame->data[0] & 1) || (frame->data[1] & 0x10))
    return false;
  StunMessage request;
  StunValidationStatus status =
      stun_agent_validate(peer->agent, &request, frame->data, frame->len, find_password, peer);
  if (status == STUN_VALIDATION_NOT_STUN || status == STUN_VALIDATION_INCOMPLETE_STUN)
    return false;
  uint8_t answer[PEER_STUN_MAX];
  size_t len = write_answer(peer, &request, status, frame->conn, answer);
  if (len)
    peer_send_frame(peer, frame->conn, answer, len);
  if (status == STUN_VALIDATION_SUCCESS &&
      stun_message_has_attribute(&request, STUN_ATTRIBUTE_USE_CANDIDATE))
    peer_select(peer, frame->conn);
  return true;
}
