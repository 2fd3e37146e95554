/* Random octets, see random.h. */
#include "random.h"

#include <sys/random.h>
#include <sys/types.h>

bool random_fill(void *data, size_t len) {
  return getrandom(data, len, 0) == (ssize_t)len;
}
