/* The H.264 parameters of an fmtp, see h264.h. */
#include "h264.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Table 5 of RFC 6184 section 8.1: profiles by profile_idc and the bits of profile-iop. */
static const struct {
  uint8_t idc;
  uint8_t mask;
  uint8_t value;
  H264Profile profile;
} profiles[] = {
    {0x42, 0x4f, 0x40, H264_PROFILE_CONSTRAINED_BASELINE},
    {0x4d, 0x8f, 0x80, H264_PROFILE_CONSTRAINED_BASELINE},
    {0x58, 0xcf, 0xc0, H264_PROFILE_CONSTRAINED_BASELINE},
    {0x42, 0x4f, 0x00, H264_PROFILE_BASELINE},
    {0x58, 0xcf, 0x80, H264_PROFILE_BASELINE},
    {0x4d, 0xaf, 0x00, H264_PROFILE_MAIN},
    {0x64, 0xff, 0x0c, H264_PROFILE_CONSTRAINED_HIGH},
    {0x64, 0xff, 0x00, H264_PROFILE_HIGH},
};

static H264Profile profile_of(uint8_t idc, uint8_t iop) {
  for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
    if (profiles[i].idc == idc && (iop & profiles[i].mask) == profiles[i].value)
      return profiles[i].profile;
  return H264_PROFILE_OTHER;
}

/* Finds "name=value" in a list divided by semicolons. value is borrowed, not NUL-terminated. */
static bool find_parameter(const char *fmtp, const char *name, const char **value, size_t *len) {
  size_t name_len = strlen(name);
  for (const char *at = fmtp; *at;) {
    at += strspn(at, "; \t");
    size_t item_len = strcspn(at, ";");
    if (item_len > name_len && at[name_len] == '=' && strncasecmp(at, name, name_len) == 0) {
      *value = at + name_len + 1;
      *len = item_len - name_len - 1;
      while (*len > 0 && isspace((unsigned char)(*value)[*len - 1]))
        (*len)--;
      return true;
    }
    at += item_len;
  }
  return false;
}

bool h264_params_parse(H264Params *params, const char *fmtp) {
  /* Defaults: single NAL unit mode; Baseline without further constraints. */
  H264Params parsed = {.packetization_mode = 0, .profile = H264_PROFILE_BASELINE};
  const char *value;
  size_t len;
  if (fmtp && find_parameter(fmtp, "packetization-mode", &value, &len)) {
    if (len != 1 || *value < '0' || *value > '2')
      return false;
    parsed.packetization_mode = (unsigned)(*value - '0');
  }
  if (fmtp && find_parameter(fmtp, "profile-level-id", &value, &len)) {
    char hex[7] = {0};
    if (len != 6 || strspn(value, "0123456789abcdefABCDEF") < 6)
      return false;
    memcpy(hex, value, 6);
    unsigned long id = strtoul(hex, NULL, 16);
    parsed.profile = profile_of((uint8_t)(id >> 16), (uint8_t)(id >> 8));
  }
  *params = parsed;
  return true;
}
