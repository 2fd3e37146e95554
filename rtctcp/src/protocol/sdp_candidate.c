/* Reads the value of one candidate attribute: RFC 8839 section 5.1, RFC 6544 section 4.5. */
#include "protocol/sdp_text.h"

#include <rtctcp/sdp.h>

#include <arpa/inet.h>
#include <string.h>

enum { COMPONENT_MAX = 256 };

static bool read_foundation(RtcCandidate *candidate, RtcText word) {
  return rtc_text_is_ice_chars(word, 1) &&
         rtc_text_copy(word, candidate->foundation, sizeof(candidate->foundation));
}

static bool read_component(RtcCandidate *candidate, RtcText word) {
  uint32_t number;
  if (!rtc_text_number(word, COMPONENT_MAX, &number) || number == 0)
    return false;
  candidate->component = (uint16_t)number;
  return true;
}

static bool read_priority(RtcCandidate *candidate, RtcText word) {
  uint32_t number;
  if (!rtc_text_number(word, INT32_MAX, &number) || number == 0)
    return false;
  candidate->priority = number;
  return true;
}

static bool is_host_name(const char *name) {
  return name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")] ==
             '\0' &&
         name[strspn(name, "0123456789.")] != '\0'; /* digits alone are a broken IPv4 address */
}

static bool read_address(RtcCandidate *candidate, RtcText word) {
  struct in6_addr ignored;
  if (memchr(word.at, '\0', word.len) ||
      !rtc_text_copy(word, candidate->address, sizeof(candidate->address)))
    return false;
  return inet_pton(AF_INET, candidate->address, &ignored) == 1 ||
         inet_pton(AF_INET6, candidate->address, &ignored) == 1 || is_host_name(candidate->address);
}

static bool read_port(RtcCandidate *candidate, RtcText word) {
  uint32_t number;
  if (!rtc_text_number(word, UINT16_MAX, &number))
    return false;
  candidate->port = (uint16_t)number;
  return true;
}

static RtcError read_transport(RtcCandidate *candidate, RtcText word) {
  candidate->tcp = rtc_text_is_any_case(word, "tcp");
  return candidate->tcp || rtc_text_is_any_case(word, "udp") ? RTC_OK : RTC_ERROR_UNSUPPORTED;
}

static RtcError read_type(RtcCandidate *candidate, RtcText word) {
  static const char *const types[] = {"host", "srflx", "prflx", "relay"};
  for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
    if (!rtc_text_is_any_case(word, types[i]))
      continue;
    strcpy(candidate->type, types[i]);
    return RTC_OK;
  }
  return RTC_ERROR_UNSUPPORTED;
}

static bool read_tcp_type(RtcCandidate *candidate, RtcText word) {
  if (rtc_text_is_any_case(word, "active"))
    candidate->tcp_type = RTC_TCP_TYPE_ACTIVE;
  else if (rtc_text_is_any_case(word, "passive"))
    candidate->tcp_type = RTC_TCP_TYPE_PASSIVE;
  else if (rtc_text_is_any_case(word, "so"))
    candidate->tcp_type = RTC_TCP_TYPE_SO;
  else
    return false;
  return true;
}

/* What follows the type is pairs of a name and a value, raddr and rport among them; names that are
 * not known are passed over. */
static RtcError read_extensions(RtcCandidate *candidate, RtcText rest) {
  RtcText name, value;
  while (rtc_text_next_word(&rest, &name)) {
    if (!rtc_text_next_word(&rest, &value))
      return RTC_ERROR_PROTO;
    if (candidate->tcp && rtc_text_is(name, "tcptype") && !read_tcp_type(candidate, value))
      return RTC_ERROR_PROTO;
  }
  if (candidate->tcp && candidate->tcp_type == RTC_TCP_TYPE_NONE)
    return RTC_ERROR_PROTO;
  return RTC_OK;
}

RtcError rtc_sdp_candidate_parse(RtcCandidate *candidate, const char *text, size_t len) {
  enum { FOUNDATION, COMPONENT, TRANSPORT, PRIORITY, ADDRESS, PORT, TYP, TYPE, WORDS };
  RtcText rest = {text, len};
  RtcText words[WORDS];
  RtcCandidate read = {0};

  rtc_text_skip(&rest, "candidate:");
  for (size_t i = 0; i < WORDS; i++)
    if (!rtc_text_next_word(&rest, &words[i]))
      return RTC_ERROR_PROTO;
  if (!read_foundation(&read, words[FOUNDATION]) || !read_component(&read, words[COMPONENT]) ||
      !read_priority(&read, words[PRIORITY]) || !read_address(&read, words[ADDRESS]) ||
      !read_port(&read, words[PORT]) || !rtc_text_is(words[TYP], "typ"))
    return RTC_ERROR_PROTO;

  RtcError error = read_transport(&read, words[TRANSPORT]);
  if (!error)
    error = read_type(&read, words[TYPE]);
  if (!error)
    error = read_extensions(&read, rest);
  if (!error)
    *candidate = read;
  return error;
}
