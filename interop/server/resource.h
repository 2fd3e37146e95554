/* The resource of a session, which the Location names: PATCH (trickle, ICE restart) and DELETE.
 * Source: RFC 9725 sections 4.2 and 4.3, draft-ietf-wish-whep. Thread: HTTP's. */
#ifndef SERVER_RESOURCE_H
#define SERVER_RESOURCE_H

#include "host.h"

/* id: the last segment of the path. */
void resource_patch(HttpRequest *request, Host *host, const char *id);
void resource_delete(HttpRequest *request, Host *host, const char *id);

#endif
