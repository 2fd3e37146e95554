/* What answers of WHIP and WHEP have in common, see replies.h. */
#include "replies.h"

#include <rtctcp/sdp.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

static unsigned status_of(RtcError error) {
  switch (error) {
  case RTC_ERROR_PROTO:
  case RTC_ERROR_INVALID_ARGUMENT:
    return 400;
  case RTC_ERROR_NOT_FOUND:
    return 404;
  case RTC_ERROR_UNSUPPORTED:
    return 406;
  case RTC_ERROR_EXISTS:
    return 409;
  case RTC_ERROR_LIMIT:
  case RTC_ERROR_CLOSED:
    return 503;
  default:
    return 500;
  }
}

void replies_text(HttpRequest *request, unsigned status, const char *text) {
  http_answer_text(request, status, text);
  replies_add_cors(request);
}

void replies_error(HttpRequest *request, RtcError error, const char *reason) {
  unsigned status = status_of(error);
  replies_text(request, status, *reason ? reason : rtc_error_text(error));
  if (status == 503)
    http_answer_header(request, "Retry-After", HTTP_RETRY_AFTER);
}

void replies_no_session(HttpRequest *request) {
  replies_error(request, RTC_ERROR_NOT_FOUND, "there is no such session");
}

static bool is_type(const char *content_type, const char *type) {
  size_t len = strlen(type);
  if (!content_type || strncasecmp(content_type, type, len) != 0)
    return false;
  const char *rest = content_type + len;
  rest += strspn(rest, " \t");
  return !*rest || *rest == ';';
}

bool replies_check_type(HttpRequest *request, const char *type, const char *accept) {
  char text[96];
  if (is_type(http_request_header(request, "Content-Type"), type))
    return true;
  snprintf(text, sizeof text, "the Content-Type has to be %s", type);
  replies_text(request, 415, text);
  http_answer_header(request, accept, type);
  return false;
}

void replies_preflight(HttpRequest *request, const char *allow, const char *accept,
                       const char *type) {
  http_answer_empty(request, 204);
  replies_add_cors(request);
  http_answer_header(request, "Allow", allow);
  http_answer_header(request, accept, type);
  http_answer_header(request, "Access-Control-Allow-Methods", allow);
  http_answer_header(request, "Access-Control-Allow-Headers",
                     "Authorization, Content-Type, If-Match");
  http_answer_header(request, "Access-Control-Max-Age", "86400");
}

void replies_add_cors(HttpRequest *request) {
  http_answer_header(request, "Access-Control-Allow-Origin", "*");
  http_answer_header(request, "Access-Control-Expose-Headers",
                     "Accept-Patch, Accept-Post, ETag, Location, Retry-After");
}

void replies_entity_tag(HttpRequest *request, const char *ufrag) {
  char tag[RTC_SDP_CREDENTIAL_MAX + 3];
  snprintf(tag, sizeof tag, "\"%s\"", ufrag);
  http_answer_header(request, "ETag", tag);
}
