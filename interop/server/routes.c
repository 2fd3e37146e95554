/* Finds whose a path is, see routes.h. */
#include "routes.h"

#include "debug.h"
#include "fragment.h"
#include "metrics.h"
#include "pages.h"
#include "replies.h"
#include "resource.h"
#include "whip.h"

#include <stdio.h>
#include <string.h>

#define GET_ALLOW      "GET, HEAD"
#define ENDPOINT_ALLOW "POST, OPTIONS"
#define SESSION_ALLOW  "PATCH, DELETE, OPTIONS"

/* The page plays what this server gives, and loads nothing from anywhere else. */
#define PAGE_POLICY                                                                                \
  "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; "          \
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

static bool text_is(const char *a, const char *b) {
  return strcmp(a, b) == 0;
}

static void refuse_method(HttpRequest *request, const char *allow) {
  http_answer_text(request, 405, "this method is not for this path");
  http_answer_header(request, "Allow", allow);
}

static void answer_not_found(HttpRequest *request) {
  http_answer_text(request, 404, "there is nothing at this path");
}

/* ---- What is read: the page's files, metrics, health ----------------------------------------- */

static void answer_page(HttpRequest *request, const Page *page) {
  http_answer_static(request, 200, page->type, page->data, *page->len);
  http_answer_header(request, "Cache-Control", "no-cache");
  http_answer_header(request, "Content-Security-Policy", PAGE_POLICY);
  http_answer_header(request, "Referrer-Policy", "no-referrer");
}

static void answer_health(HttpRequest *request, Host *host) {
  (void)host;
  http_answer_text(request, 200, "ok");
}

typedef void Answer(HttpRequest *request, Host *host);

static Answer *find_report(const Host *host, const char *path) {
  if (text_is(path, "/metrics"))
    return metrics_request;
  if (text_is(path, "/debug/sessions") && host->options->debug)
    return debug_request;
  return text_is(path, "/healthz") ? answer_health : NULL;
}

/* false: the path is none of these. */
static bool route_readable(HttpRequest *request, Host *host) {
  const char *method = http_request_method(request);
  const char *path = http_request_path(request);
  const Page *page = pages_find(path);
  Answer *report = page ? NULL : find_report(host, path);
  if (!page && !report)
    return false;
  if (!text_is(method, "GET") && !text_is(method, "HEAD"))
    refuse_method(request, GET_ALLOW);
  else if (page)
    answer_page(request, page);
  else
    report(request, host);
  return true;
}

/* ---- /whip/STREAM, /whep/STREAM, and the sessions under them --------------------------------- */

static void route_endpoint(HttpRequest *request, Host *host, SessionRole role, const char *stream) {
  const char *method = http_request_method(request);
  if (text_is(method, "POST")) {
    whip_open(request, host, role, stream);
  } else if (text_is(method, "OPTIONS")) {
    replies_preflight(request, ENDPOINT_ALLOW, "Accept-Post", SDP_TYPE);
  } else {
    refuse_method(request, ENDPOINT_ALLOW);
    replies_add_cors(request);
  }
}

static void route_session(HttpRequest *request, Host *host, const char *id) {
  const char *method = http_request_method(request);
  if (text_is(method, "PATCH")) {
    resource_patch(request, host, id);
  } else if (text_is(method, "DELETE")) {
    resource_delete(request, host, id);
  } else if (text_is(method, "OPTIONS")) {
    replies_preflight(request, SESSION_ALLOW, "Accept-Patch", FRAGMENT_TYPE);
  } else {
    refuse_method(request, SESSION_ALLOW);
    replies_add_cors(request);
  }
}

/* false: no name; length out. */
static bool stream_name_valid(const char *name, size_t len) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return len >= 1 && len <= STREAM_NAME_MAX && strspn(name, letters) >= len;
}

static void route_stream(HttpRequest *request, Host *host, SessionRole role, const char *name) {
  char stream[STREAM_NAME_MAX + 1];
  size_t len = strcspn(name, "/");
  if (!stream_name_valid(name, len)) {
    replies_text(request, 404, "a stream's name is 1 to 128 of A-Z a-z 0-9 . _ -");
    return;
  }
  snprintf(stream, sizeof stream, "%.*s", (int)len, name);
  if (name[len])
    route_session(request, host, name + len + 1);
  else
    route_endpoint(request, host, role, stream);
}

void routes_answer(HttpRequest *request, void *arg) {
  Host *host = arg;
  const char *path = http_request_path(request);
  if (route_readable(request, host))
    return;
  if (strncmp(path, "/whip/", 6) == 0)
    route_stream(request, host, SESSION_WHIP, path + 6);
  else if (strncmp(path, "/whep/", 6) == 0)
    route_stream(request, host, SESSION_WHEP, path + 6);
  else
    answer_not_found(request);
}
