/* Who listens to a Connection: the media floor's observers first, then the host. */
#include "transport/rtc_connection_internal.h"

/* Observers come and go during the calls below: slots are not moved, a removed one is NULL, and
 * rtc_connection_end sets the count to 0. The Connection outlives the calls: its disposal is
 * deferred. */

RtcError rtc_connection_observe(RtcConnection *connection, RtcConnectionObserver *observer) {
  if (connection->state == RTC_CONNECTION_STATE_CLOSED)
    return RTC_ERROR_CLOSED;
  size_t i = 0;
  while (i < connection->observer_count && connection->observers[i])
    i++;
  if (i == RTC_CONNECTION_OBSERVERS_MAX)
    return RTC_ERROR_LIMIT;
  connection->observers[i] = observer;
  if (i == connection->observer_count)
    connection->observer_count++;
  return RTC_OK;
}

void rtc_connection_unobserve(RtcConnection *connection, RtcConnectionObserver *observer) {
  for (size_t i = 0; i < connection->observer_count; i++)
    if (connection->observers[i] == observer)
      connection->observers[i] = NULL;
}

void rtc_connection_tell_state(RtcConnection *connection, RtcConnectionState state) {
  for (size_t i = 0; i < connection->observer_count; i++) {
    RtcConnectionObserver *observer = connection->observers[i];
    if (observer)
      observer->on_state(observer, state);
  }
  /* A callback may have closed it meanwhile; then CLOSED was the last to be told. */
  if (connection->state == state && connection->callbacks.on_state)
    connection->callbacks.on_state(connection, state, connection->arg);
}

void rtc_connection_tell_rtp(RtcConnection *connection, const uint8_t *packet, size_t len) {
  bool taken = connection->callbacks.on_rtp;
  for (size_t i = 0; i < connection->observer_count; i++) {
    RtcConnectionObserver *observer = connection->observers[i];
    if (observer && observer->on_rtp && observer->on_rtp(observer, packet, len))
      taken = true;
  }
  if (!taken)
    rtc_connection_drop(connection, RTC_DROP_UNKNOWN_SSRC);
  if (connection->callbacks.on_rtp)
    connection->callbacks.on_rtp(connection, packet, len, connection->arg);
}

void rtc_connection_tell_rtcp(RtcConnection *connection, const uint8_t *packet, size_t len) {
  bool taken = connection->callbacks.on_rtcp;
  for (size_t i = 0; i < connection->observer_count; i++) {
    RtcConnectionObserver *observer = connection->observers[i];
    if (observer && observer->on_rtcp && observer->on_rtcp(observer, packet, len))
      taken = true;
  }
  if (!taken)
    rtc_connection_drop(connection, RTC_DROP_RTCP);
  if (connection->callbacks.on_rtcp)
    connection->callbacks.on_rtcp(connection, packet, len, connection->arg);
}
