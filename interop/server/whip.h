/* WHIP and WHEP: sessions that are opened and ended by HTTP.
 * Source: RFC 9725, draft-ietf-wish-whep. Thread: HTTP's. */
#ifndef SERVER_WHIP_H
#define SERVER_WHIP_H

#include "host.h"

/* POST of an offer: opens a session. stream: a valid name. */
void whip_open(HttpRequest *request, Host *host, SessionRole role, const char *stream);

/* DELETE of a session. id: the last segment of the path, which is its Location. */
void whip_end(HttpRequest *request, Host *host, const char *id);

/* OPTIONS, and every answer's headers for pages of other origins. */
void whip_preflight(HttpRequest *request, const char *allow);
void whip_add_cors(HttpRequest *request);

#endif
