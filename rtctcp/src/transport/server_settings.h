/* A server's configuration, checked and put into the form that the shards use. */
#ifndef RTC_TRANSPORT_SERVER_SETTINGS_H
#define RTC_TRANSPORT_SERVER_SETTINGS_H

#include "transport/shard.h"

/* Everything but the candidates. */
void rtc_server_settings_init(RtcServerSettings *settings, const RtcServerConfig *config);
void rtc_server_settings_finish(RtcServerSettings *settings);

/* Makes the candidates from what the configuration names, or else from what was bound.
 * bound   the listeners' addresses, listen_count of them
 * failed  out: index of the refused text in the configuration, on INVALID_ARGUMENT
 * Errors: INVALID_ARGUMENT (unreadable; or none named, and only wildcards bound), NO_MEMORY */
RTC_MUST_CHECK RtcError rtc_server_settings_candidates(RtcServerSettings *settings,
                                                       const RtcServerConfig *config,
                                                       const RtcAddress *bound, size_t *failed);

#endif
