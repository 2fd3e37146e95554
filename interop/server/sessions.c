/* The table of sessions of one worker, see sessions.h. */
#include "sessions.h"

#include "random.h"

/* An add that finds no memory leaves the element out: hh.tbl stays NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include <stdio.h>
#include <stdlib.h>

struct Session {
  Sessions *sessions;        /* back */
  RtcConnection *connection; /* owned: a handle; NULL: none yet */
  SessionIce ice;
  H264Profile h264_profile; /* of a publisher */
  char location[LOCATION_MAX];
  char stream[STREAM_NAME_MAX + 1];
  UT_hash_handle hh;        /* by location */
  UT_hash_handle hh_stream; /* of a publisher, by stream; its tbl is NULL: it is none */
};

const char *session_role_name(SessionRole role) {
  return role == SESSION_WHIP ? "whip" : "whep";
}

static bool name_location(Session *session, SessionRole role, unsigned worker) {
  unsigned char random[SESSION_TOKEN_LEN / 2];
  char token[SESSION_TOKEN_LEN + 1];
  if (!random_fill(random, sizeof random))
    return false;
  for (size_t i = 0; i < sizeof random; i++)
    snprintf(token + 2 * i, 3, "%02x", random[i]);
  snprintf(session->location, sizeof session->location, "/%s/%s/%u-%s", session_role_name(role),
           session->stream, worker, token);
  return true;
}

/* false: no memory; the session is in no table then. */
static bool enter(Session *session, bool publisher) {
  Sessions *sessions = session->sessions;
  HASH_ADD_STR(sessions->by_location, location, session);
  if (!session->hh.tbl)
    return false;
  if (!publisher)
    return true;
  HASH_ADD_KEYPTR(hh_stream, sessions->publishers_by_stream, session->stream,
                  strlen(session->stream), session);
  if (session->hh_stream.tbl)
    return true;
  HASH_DEL(sessions->by_location, session);
  return false;
}

RtcError sessions_add(Session **session, Sessions *sessions, unsigned worker, SessionRole role,
                      const char *stream) {
  if (role == SESSION_WHIP && sessions_find_publisher(sessions, stream))
    return RTC_ERROR_EXISTS;
  Session *made = calloc(1, sizeof *made);
  if (!made)
    return RTC_ERROR_NO_MEMORY;
  made->sessions = sessions;
  snprintf(made->stream, sizeof made->stream, "%s", stream);
  RtcError error = RTC_ERROR_SYSTEM;
  if (!name_location(made, role, worker))
    goto failed;
  error = RTC_ERROR_NO_MEMORY;
  if (!enter(made, role == SESSION_WHIP))
    goto failed;
  *session = made;
  return RTC_OK;

failed:
  free(made);
  return error;
}

void session_remove(Session *session) {
  Sessions *sessions = session->sessions;
  HASH_DEL(sessions->by_location, session);
  if (session->hh_stream.tbl)
    HASH_DELETE(hh_stream, sessions->publishers_by_stream, session);
  rtc_connection_unref(&session->connection);
  free(session->ice.fragment_head);
  free(session);
}

Session *sessions_find(const Sessions *sessions, const char *location) {
  Session *session;
  HASH_FIND_STR(sessions->by_location, location, session);
  return session;
}

Session *sessions_find_publisher(const Sessions *sessions, const char *stream) {
  Session *session;
  HASH_FIND(hh_stream, sessions->publishers_by_stream, stream, strlen(stream), session);
  return session;
}

size_t sessions_count(const Sessions *sessions) {
  return HASH_COUNT(sessions->by_location);
}

void sessions_each(const Sessions *sessions, void (*visit)(const Session *session, void *arg),
                   void *arg) {
  for (const Session *session = sessions->by_location; session; session = session->hh.next)
    visit(session, arg);
}

bool session_id_worker(const char *id, unsigned *worker) {
  size_t digits = strspn(id, "0123456789");
  if (digits == 0 || digits > 5 || id[digits] != '-')
    return false;
  const char *token = id + digits + 1;
  if (strspn(token, "0123456789abcdef") != SESSION_TOKEN_LEN || token[SESSION_TOKEN_LEN])
    return false;
  *worker = (unsigned)strtoul(id, NULL, 10);
  return true;
}

const char *session_location(const Session *session) {
  return session->location;
}

/* Publishers alone are in the table by stream. */
SessionRole session_role(const Session *session) {
  return session->hh_stream.tbl ? SESSION_WHIP : SESSION_WHEP;
}

const char *session_stream(const Session *session) {
  return session->stream;
}

uint64_t session_connection_id(const Session *session) {
  return session->connection ? rtc_connection_id(session->connection) : 0;
}

RtcConnection **session_connection(Session *session) {
  return &session->connection;
}

SessionIce *session_ice(Session *session) {
  return &session->ice;
}

H264Profile session_h264_profile(const Session *session) {
  return session->h264_profile;
}

void session_set_h264_profile(Session *session, H264Profile profile) {
  session->h264_profile = profile;
}
