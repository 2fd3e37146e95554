/* One worker's sessions: the resources that WHIP and WHEP made, by the path of their Location.
 * Thread: the worker's. */
#ifndef SERVER_SESSIONS_H
#define SERVER_SESSIONS_H

#include <rtctcp/connection.h>

#include <stdatomic.h>

#define STREAM_NAME_MAX   128 /* [octets] */
#define SESSION_TOKEN_LEN 32  /* 128 random bits in hex [octets] */

/* "/whip/STREAM/WORKER-TOKEN" and its NUL; a worker's index has at most 5 digits. */
#define LOCATION_MAX (sizeof "/whip//00000-" + STREAM_NAME_MAX + SESSION_TOKEN_LEN)

/* What a session is to its peer; the first segment of its paths is named after it. */
typedef enum SessionRole {
  SESSION_WHIP, /* the peer publishes */
  SESSION_WHEP, /* the peer plays */
} SessionRole;

typedef struct Session Session;

typedef struct Sessions {
  Session *by_location; /* owned */
  atomic_size_t *live;  /* borrowed: of all workers together */
  size_t max;           /* of these */
} Sessions;

void sessions_init(Sessions *sessions, atomic_size_t *live, size_t max);

const char *session_role_name(SessionRole role); /* "whip", "whep" */

/* Makes a session with a Location that nobody can guess.
 * session  out: borrowed, valid until session_remove
 * worker   index of the worker, which the Location carries
 * stream   at most STREAM_NAME_MAX octets
 * Errors:  LIMIT, NO_MEMORY, SYSTEM */
RTC_MUST_CHECK RtcError sessions_add(Session **session, Sessions *sessions, unsigned worker,
                                     SessionRole role, const char *stream);

/* What a PATCH of the session has to know of its ICE. */
typedef struct SessionIce {
  char remote_ufrag[RTC_SDP_CREDENTIAL_MAX + 1]; /* the peer's, of the current ICE session */
  char remote_pwd[RTC_SDP_CREDENTIAL_MAX + 1];
  char *fragment_head; /* owned: what an answer to a restart begins with; NULL: none yet */
} SessionIce;

/* Gives the session's handle of its Connection back, and frees the session with all
 * that it owns. */
void session_remove(Session *session);

Session *sessions_find(const Sessions *sessions, const char *location); /* NULL: none */
size_t sessions_count(const Sessions *sessions);
/* Calls visit for each, in no order; it must not open or end any. */
void sessions_each(const Sessions *sessions, void (*visit)(const Session *session, void *arg),
                   void *arg);

/* The worker that a Location's last segment, "WORKER-TOKEN", names. false: it is of no such form.
 */
bool session_id_worker(const char *id, unsigned *worker);

const char *session_location(const Session *session);
SessionRole session_role(const Session *session);
const char *session_stream(const Session *session);
uint64_t session_connection_id(const Session *session); /* 0: it has no Connection yet */

/* The slot of the session's handle, NULL at first. */
RtcConnection **session_connection(Session *session);

SessionIce *session_ice(Session *session);

#endif
