/* ICE credentials: made at random, and compared with what a binding request says. */
#include "transport/ice.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* ice-char, RFC 8839 section 5.4: 64 of them, so that 6 bits of an octet choose one. */
static void write_text(char *text, const uint8_t *octets, size_t len) {
  static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < len; i++)
    text[i] = chars[octets[i] & 63];
  text[len] = '\0';
}

/* The ufrag begins with its worker's number, so that any worker can tell whose a socket is. */
static RtcError make_own(RtcIceCredentials *credentials, const RtcShard *shard) {
  struct {
    uint8_t ufrag[RTC_ICE_UFRAG_LEN - RTC_UFRAG_SHARD_LEN];
    uint8_t pwd[RTC_ICE_PWD_LEN];
  } random;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
    return RTC_ERROR_SYSTEM;
  rtc_shard_write_number(shard, credentials->ufrag);
  write_text(credentials->ufrag + RTC_UFRAG_SHARD_LEN, random.ufrag, sizeof random.ufrag);
  write_text(credentials->pwd, random.pwd, sizeof random.pwd);
  return RTC_OK;
}

RtcError rtc_ice_credentials_new(RtcIceCredentials **out, const RtcShard *shard,
                                 const char *remote_ufrag) {
  size_t len = strlen(remote_ufrag);
  RtcIceCredentials *credentials = calloc(1, sizeof *credentials + len + 1);
  if (!credentials)
    return RTC_ERROR_NO_MEMORY;
  memcpy(credentials->remote_ufrag, remote_ufrag, len + 1);
  RtcError error = make_own(credentials, shard);
  if (error) {
    free(credentials);
    return error;
  }
  *out = credentials;
  return RTC_OK;
}

RtcError rtc_ice_credentials_pair(RtcIceCredentials **out, const RtcIceCredentials *own,
                                  const char *remote_ufrag, const char *remote_pwd) {
  size_t ufrag_len = strlen(remote_ufrag);
  size_t pwd_len = strlen(remote_pwd);
  RtcIceCredentials *credentials = calloc(1, sizeof *credentials + ufrag_len + 1 + pwd_len + 1);
  if (!credentials)
    return RTC_ERROR_NO_MEMORY;
  *credentials = *own;
  char *pwd = credentials->remote_ufrag + ufrag_len + 1;
  memcpy(credentials->remote_ufrag, remote_ufrag, ufrag_len + 1);
  memcpy(pwd, remote_pwd, pwd_len + 1);
  credentials->remote_pwd = pwd;
  *out = credentials;
  return RTC_OK;
}

bool rtc_ice_credentials_match(const RtcIceCredentials *credentials,
                               const RtcStunUsername *username) {
  return credentials && username->local_len == RTC_ICE_UFRAG_LEN &&
         memcmp(username->local, credentials->ufrag, username->local_len) == 0 &&
         username->remote_len == strlen(credentials->remote_ufrag) &&
         memcmp(username->remote, credentials->remote_ufrag, username->remote_len) == 0;
}
