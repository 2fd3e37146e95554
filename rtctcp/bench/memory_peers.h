/* The peers of bench_memory, in a process of their own, so that their memory is not counted. */
#ifndef RTC_BENCH_MEMORY_PEERS_H
#define RTC_BENCH_MEMORY_PEERS_H

#include <rtctcp/sdp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The two processes speak in turns: the server's asks for some sessions, each peer sends its offer
 * and awaits the answer, then all of them connect, and the count of those that have is said. */
typedef struct MemoryPeers {
  pid_t pid;
  int fd; /* owned: to the process */
} MemoryPeers;

/* Begin before there are threads. Errors end the program. */
void memory_peers_start(MemoryPeers *peers);

/* Asks for so many sessions at a time, whose handshakes are mixed with each other.
 * answer  makes a session of the offer, and says what the peer is told */
void memory_peers_open(const MemoryPeers *peers, size_t count, uint16_t port,
                       void (*answer)(const RtcSdpTransport *offer, RtcSdpTransport *answer));

/* Ends the process, and with it all TCP conns. */
void memory_peers_stop(MemoryPeers *peers);

/* Ends the program when something does not work. */
void memory_require(bool ok, const char *what);

#endif
