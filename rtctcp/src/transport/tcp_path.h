/* How much a TCP conn's kernel may hold beyond what it has sent (TCP_NOTSENT_LOWAT): little, so
 * that what to send, and what to drop, is decided late and here; but as much as the path sends
 * until the worker comes to it again. */
#ifndef RTC_TRANSPORT_TCP_PATH_H
#define RTC_TRANSPORT_TCP_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTC_TCP_PATH_LOWAT_DEFAULT ((size_t)16 * 1024)
#define RTC_TCP_PATH_LOWAT_MAX     ((size_t)256 * 1024)

typedef struct RtcTcpPath {
  size_t lowat;        /* as the kernel was told [octets] */
  size_t lowat_min;    /* [octets] */
  int64_t measured_us; /* when it was blocked first, or measured last; 0: never */
} RtcTcpPath;

void rtc_tcp_path_init(RtcTcpPath *path, size_t lowat_min);

/* Sets the options that a path begins with: of a socket, or of a listening one, from which what is
 * accepted has them. */
void rtc_tcp_path_prepare(int fd, size_t lowat_min);

/* The socket took not all of what it was given. Measures the path, and tells the kernel, at most
 * once a second, and not yet the first time; who is never blocked is never measured. */
void rtc_tcp_path_blocked(RtcTcpPath *path, int fd, int64_t now_us);

/* What to set.
 * rate     that the path has delivered [octets/s]
 * limited  it was not the path but the sender that had no more: the path may do better */
size_t rtc_tcp_path_lowat(const RtcTcpPath *path, uint64_t rate, bool limited);

#endif
