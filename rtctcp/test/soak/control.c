/* Calls from the peers' process to the server's. */
#include "soak/control.h"

#include <errno.h>
#include <sys/socket.h>

bool soak_control_send(int fd, const void *message, size_t len) {
  ssize_t sent;
  do
    sent = send(fd, message, len, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)len;
}

bool soak_control_receive(int fd, void *message, size_t len) {
  ssize_t got;
  do
    got = recv(fd, message, len, 0);
  while (got < 0 && errno == EINTR);
  return got == (ssize_t)len;
}

bool soak_control_call(int fd, const SoakRequest *request, void *answer, size_t answer_len) {
  return soak_control_send(fd, request, sizeof *request) &&
         soak_control_receive(fd, answer, answer_len);
}
