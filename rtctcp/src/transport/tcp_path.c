/* How much a TCP conn's kernel may hold beyond what it has sent. */
#include "transport/tcp_path.h"

#include "base/clock.h"

/* <netinet/tcp.h> of glibc has an older struct tcp_info, without the delivery rate. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define INTERVAL_US RTC_US_PER_S
/* A socket is writable again at half of it, and then waits for its worker's turn. */
#define HELD_US (5 * RTC_US_PER_MS)

/* Both fail only where the peer has reset the conn already, which the first read tells. */
static void set_option(int fd, int name, size_t value) {
  int number = (int)value;
  (void)setsockopt(fd, IPPROTO_TCP, name, &number, sizeof number);
}

void rtc_tcp_path_init(RtcTcpPath *path, size_t lowat_min) {
  if (lowat_min > RTC_TCP_PATH_LOWAT_MAX)
    lowat_min = RTC_TCP_PATH_LOWAT_MAX;
  *path = (RtcTcpPath){.lowat = lowat_min, .lowat_min = lowat_min};
}

void rtc_tcp_path_prepare(int fd, size_t lowat_min) {
  RtcTcpPath path;
  rtc_tcp_path_init(&path, lowat_min);
  set_option(fd, TCP_NODELAY, 1);
  set_option(fd, TCP_NOTSENT_LOWAT, path.lowat);
}

size_t rtc_tcp_path_lowat(const RtcTcpPath *path, uint64_t rate, bool limited) {
  uint64_t held = rate / (uint64_t)(RTC_US_PER_S / HELD_US);
  size_t lowat = path->lowat_min;
  while (lowat < held && lowat < RTC_TCP_PATH_LOWAT_MAX)
    lowat *= 2; /* in steps, so that it stays where a rate wavers */
  if (lowat > RTC_TCP_PATH_LOWAT_MAX)
    lowat = RTC_TCP_PATH_LOWAT_MAX;
  return limited && lowat < path->lowat ? path->lowat : lowat;
}

void rtc_tcp_path_blocked(RtcTcpPath *path, int fd, int64_t now_us) {
  struct tcp_info info = {0};
  socklen_t len = sizeof info;
  /* The first time tells only how fast the peer's kernel took what it had room for: it may be that
   * of a peer that does not read. */
  bool first = path->measured_us == 0;
  if (!first && now_us - path->measured_us < INTERVAL_US)
    return;
  path->measured_us = now_us;
  if (first)
    return;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 || info.tcpi_delivery_rate == 0)
    return; /* an old kernel, or nothing was delivered yet */
  size_t lowat =
      rtc_tcp_path_lowat(path, info.tcpi_delivery_rate, info.tcpi_delivery_rate_app_limited);
  if (lowat == path->lowat)
    return;
  path->lowat = lowat;
  set_option(fd, TCP_NOTSENT_LOWAT, lowat);
}
