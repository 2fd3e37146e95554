/* Integers in network byte order, at any alignment. */
#ifndef RTC_BASE_OCTETS_H
#define RTC_BASE_OCTETS_H

#include <stdint.h>

static inline uint16_t rtc_read_u16(const uint8_t *at) {
  return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t rtc_read_u24(const uint8_t *at) {
  return (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
}

static inline uint32_t rtc_read_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | rtc_read_u24(at + 1);
}

static inline void rtc_write_u16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

/* The upper octet of value is left out. */
static inline void rtc_write_u24(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 16);
  rtc_write_u16(at + 1, (uint16_t)value);
}

static inline void rtc_write_u32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  rtc_write_u24(at + 1, value);
}

#endif
