/* A server's configuration, checked and put into the form that the shards use. */
#include "transport/server_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rtc_server_config_init(RtcServerConfig *config) {
  *config = (RtcServerConfig){
      .first_frame_timeout_ms = 10 * 1000,
      .session_timeout_ms = 30 * 1000,
      .reconnect_grace_ms = 10 * 1000,
      .unauthenticated_max = 1024,
      .unauthenticated_per_address_max = 256,
      .connections_max = 100 * 1000,
  };
}

void rtc_server_settings_init(RtcServerSettings *settings, const RtcServerConfig *config) {
  *settings = (RtcServerSettings){
      .first_frame_timeout_us = config->first_frame_timeout_ms * RTC_US_PER_MS,
      .session_timeout_us = config->session_timeout_ms * RTC_US_PER_MS,
      .reconnect_grace_us = config->reconnect_grace_ms * RTC_US_PER_MS,
      .unauthenticated_max = config->unauthenticated_max,
      .unauthenticated_per_address_max = config->unauthenticated_per_address_max,
      .connections_max = config->connections_max,
      .on_foreign_socket = config->on_foreign_socket,
      .arg = config->arg,
  };
}

void rtc_server_settings_finish(RtcServerSettings *settings) {
  free(settings->candidates);
  *settings = (RtcServerSettings){0};
}

/* RFC 8445 section 5.1.2.1 with RFC 6544 section 4.2: host, passive (direction preference 4), and
 * the earlier in the list the better. */
static uint32_t priority(size_t index) {
  uint32_t local = (4u << 13) + (0x1fffu - (uint32_t)index);
  return (126u << 24) + (local << 8) + (256 - 1);
}

static void add(RtcServerSettings *settings, const RtcAddress *address) {
  size_t index = settings->candidate_count;
  if (index == RTC_SDP_CANDIDATES_MAX)
    return;
  RtcCandidate *candidate = &settings->candidates[settings->candidate_count++];
  *candidate = (RtcCandidate){.component = 1,
                              .tcp = true,
                              .priority = priority(index),
                              .port = rtc_address_port(address),
                              .type = "host",
                              .tcp_type = RTC_TCP_TYPE_PASSIVE};
  /* RFC 8445 section 5.1.1.3: another address, another foundation. */
  snprintf(candidate->foundation, sizeof candidate->foundation, "%zu", index + 1);
  rtc_address_host(address, candidate->address);
}

RtcError rtc_server_settings_candidates(RtcServerSettings *settings, const RtcServerConfig *config,
                                        const RtcAddress *bound, size_t *failed) {
  settings->candidates = calloc(RTC_SDP_CANDIDATES_MAX, sizeof *settings->candidates);
  if (!settings->candidates)
    return RTC_ERROR_NO_MEMORY;
  /* Without a listener they are what active candidates tell. */
  int default_port = config->listen_count > 0 ? rtc_address_port(&bound[0]) : RTC_PORT_DISCARD;
  for (size_t i = 0; i < config->candidate_count; i++) {
    RtcAddress address;
    *failed = i;
    if (rtc_address_parse(&address, config->candidates[i], default_port) ||
        rtc_address_is_wildcard(&address) || rtc_address_port(&address) == 0)
      return RTC_ERROR_INVALID_ARGUMENT;
    add(settings, &address);
  }
  if (config->candidate_count > 0 || config->listen_count == 0)
    return RTC_OK;
  for (size_t i = 0; i < config->listen_count; i++)
    if (!rtc_address_is_wildcard(&bound[i]))
      add(settings, &bound[i]);
  *failed = 0;
  return settings->candidate_count > 0 ? RTC_OK : RTC_ERROR_INVALID_ARGUMENT;
}
