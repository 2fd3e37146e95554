/* WHIP and WHEP: POST of an offer, which opens a session.
 * Source: RFC 9725, draft-ietf-wish-whep. Thread: HTTP's. */
#ifndef SERVER_WHIP_H
#define SERVER_WHIP_H

#include "host.h"

/* stream: a valid name. */
void whip_open(HttpRequest *request, Host *host, SessionRole role, const char *stream);

#endif
