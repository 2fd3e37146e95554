/* A list of datagrams: what one side has sent, for a test to deliver, cut, swap or lose. */
#ifndef RTC_TEST_SUPPORT_DATAGRAMS_H
#define RTC_TEST_SUPPORT_DATAGRAMS_H

#include <stddef.h>
#include <stdint.h>

#define DATAGRAMS_MAX       64
#define DATAGRAM_OCTETS_MAX 2048

typedef struct Datagram {
  uint8_t data[DATAGRAM_OCTETS_MAX];
  size_t len;
} Datagram;

typedef struct Datagrams {
  Datagram items[DATAGRAMS_MAX];
  size_t count;
} Datagrams;

/* Fails the test when it does not fit. */
void datagrams_add(Datagrams *datagrams, const uint8_t *data, size_t len);

/* Moves all of *from behind *to. */
void datagrams_move(Datagrams *to, Datagrams *from);

/* The same, but each DTLS record becomes a datagram of its own. */
void datagrams_move_records(Datagrams *to, Datagrams *from);

#endif
