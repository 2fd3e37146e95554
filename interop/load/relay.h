/* A TCP relay on loopback between a player and the server, which can stop reading from the server:
 * a slow reader as the server sees one, whatever the library on this side does. The way to the
 * server goes on. Thread: its loop's. */
#ifndef LOAD_RELAY_H
#define LOAD_RELAY_H

#include <rtctcp/sdp.h>

#include <stdbool.h>
#include <stdint.h>

struct uv_loop_s;

typedef struct Relay Relay;

/* Listens on 127.0.0.1, and connects to the candidate for each conn that it accepts.
 * near  out: the candidate to connect to instead
 * NULL: it can't be made */
Relay *relay_new(struct uv_loop_s *loop, const RtcCandidate *far, RtcCandidate *near);

/* Stops reading from the server, or begins again. */
void relay_stall(Relay *relay, bool stalled);

/* Closes all, and frees it later, in the loop. NULL is fine. */
void relay_close(Relay *relay);

#endif
