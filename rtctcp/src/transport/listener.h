/* A listener: one listening socket of one worker, and the coroutine that accepts from it. The loop
 * survives every error of accept, and never waits for a client. */
#ifndef RTC_TRANSPORT_LISTENER_H
#define RTC_TRANSPORT_LISTENER_H

#include "transport/shard.h"

typedef struct RtcListener RtcListener;

typedef struct RtcListenerOptions {
  const char *congestion_control; /* of what is accepted; borrowed; NULL: the system's */
  size_t notsent_lowat;           /* of what is accepted, see tcp_path.h [octets] */
} RtcListenerOptions;

/* Opens a listening, non-blocking socket, and tells the address it was bound to.
 * reuse_port  several workers listen to the same address
 * Errors: ADDRESS_IN_USE, ACCESS, SYSTEM, UNSUPPORTED (reuse_port is refused, or there is no such
 *         congestion control) */
RTC_MUST_CHECK RtcError rtc_listener_open(int *fd, RtcAddress *address, bool reuse_port,
                                          const RtcListenerOptions *options);

/* Another descriptor of a listening socket, for another worker. Errors: SYSTEM */
RTC_MUST_CHECK RtcError rtc_listener_share(int *another, int fd);

/* Starts to accept. On the shard's thread.
 * fd      owned from here on, whatever is returned
 * Errors: NO_MEMORY, SYSTEM, CLOSED */
RTC_MUST_CHECK RtcError rtc_listener_start(RtcListener **listener, RtcShard *shard, int fd);

/* Ends the coroutine, which closes the socket, frees the listener, sets *listener to NULL and
 * calls rtc_shard_check_closed. NULL in it is fine. */
void rtc_listener_close(RtcListener **listener);

#endif
