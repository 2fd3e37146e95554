/* Random octets from the kernel. */
#ifndef SERVER_RANDOM_H
#define SERVER_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* len is at most 256. false: the kernel gives none. Any thread. */
bool random_fill(void *data, size_t len);

#endif
