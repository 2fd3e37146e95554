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
  SessionRole role;
  char location[LOCATION_MAX];
  char stream[STREAM_NAME_MAX + 1];
  UT_hash_handle hh; /* by location */
};

const char *session_role_name(SessionRole role) {
  return role == SESSION_WHIP ? "whip" : "whep";
}

static bool name_location(Session *session, SessionRole role, unsigned worker) {
  static const char digits[] = "0123456789abcdef";
  unsigned char random[SESSION_TOKEN_LEN / 2];
  char token[SESSION_TOKEN_LEN + 1];
  if (!random_fill(random, sizeof random))
    return false;
  for (size_t i = 0; i < SESSION_TOKEN_LEN; i++)
    token[i] = digits[random[i / 2] >> (i % 2 ? 0 : 4) & 0xf];
  token[SESSION_TOKEN_LEN] = '\0';
  snprintf(session->location, sizeof session->location, "/%s/%s/%u-%s", session_role_name(role),
           session->stream, worker, token);
  return true;
}

void sessions_init(Sessions *sessions, atomic_size_t *live, size_t max) {
  *sessions = (Sessions){.live = live, .max = max};
}

/* false: there is no room for one more. */
static bool take_place(const Sessions *sessions) {
  if (atomic_fetch_add(sessions->live, 1) < sessions->max)
    return true;
  atomic_fetch_sub(sessions->live, 1);
  return false;
}

RtcError sessions_add(Session **session, Sessions *sessions, unsigned worker, SessionRole role,
                      const char *stream) {
  if (!take_place(sessions))
    return RTC_ERROR_LIMIT;
  RtcError error = RTC_ERROR_NO_MEMORY;
  Session *made = calloc(1, sizeof *made);
  if (!made)
    goto failed;
  made->sessions = sessions;
  made->role = role;
  snprintf(made->stream, sizeof made->stream, "%s", stream);
  error = RTC_ERROR_SYSTEM;
  if (!name_location(made, role, worker))
    goto failed;
  error = RTC_ERROR_NO_MEMORY;
  HASH_ADD_STR(sessions->by_location, location, made);
  if (!made->hh.tbl)
    goto failed;
  *session = made;
  return RTC_OK;

failed:
  free(made);
  atomic_fetch_sub(sessions->live, 1);
  return error;
}

void session_remove(Session *session) {
  Sessions *sessions = session->sessions;
  HASH_DEL(sessions->by_location, session);
  atomic_fetch_sub(sessions->live, 1);
  rtc_connection_unref(&session->connection);
  free(session->ice.fragment_head);
  free(session);
}

Session *sessions_find(const Sessions *sessions, const char *location) {
  Session *session;
  HASH_FIND_STR(sessions->by_location, location, session);
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

SessionRole session_role(const Session *session) {
  return session->role;
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
