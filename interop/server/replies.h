/* What answers of WHIP and WHEP have in common: errors, CORS, entity tags.
 * Source: RFC 9725, draft-ietf-wish-whep. Thread: HTTP's. */
#ifndef SERVER_REPLIES_H
#define SERVER_REPLIES_H

#include "http.h"

#define SDP_TYPE "application/sdp"

/* reason  "": the error's own text will do */
void replies_error(HttpRequest *request, RtcError error, const char *reason);
void replies_no_session(HttpRequest *request);
void replies_text(HttpRequest *request, unsigned status, const char *text);

/* Does the request's body have this type? If not, it is answered.
 * accept  the answer's header that names the type instead */
bool replies_check_type(HttpRequest *request, const char *type, const char *accept);

/* OPTIONS.
 * accept, type  the header that names what a body has to be, and that */
void replies_preflight(HttpRequest *request, const char *allow, const char *accept,
                       const char *type);

/* The headers for pages of other origins; of every answer. */
void replies_add_cors(HttpRequest *request);

/* ETag, which names an ICE session (RFC 9725 section 4.3.1): its local ufrag, random and new with
 * each restart. */
void replies_entity_tag(HttpRequest *request, const char *ufrag);

#endif
