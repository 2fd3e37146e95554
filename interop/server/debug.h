/* GET /debug/sessions: each worker's Connections and TCP conns, in what state, how old, and who
 * holds them; with the resource that names each here. Off without --debug: a resource's path is all
 * that is needed to end its session. */
#ifndef SERVER_DEBUG_H
#define SERVER_DEBUG_H

#include "host.h"

/* Thread: HTTP's. */
void debug_request(HttpRequest *request, Host *host);

#endif
