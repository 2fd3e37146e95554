/* Keeps a machine's memory as it is after some hours of use, while others measure.
 *
 * A hypervisor may take back what its guest reports as free in pieces of 2 MiB and more, and a page
 * that it has taken costs a hundred microseconds when the kernel gives it to a socket next. Whether
 * it comes to that is chance, and lasts for as long as a run: the same stream took 2 us a packet or
 * 20. So this maps memory, and gives back all of it but a page in each 256 KiB: what is free then
 * lies in smaller pieces, which are not reported, and the kernel takes these first.
 *
 * usage: bench_ground MIB     says "ready", and goes when its stdin ends */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PIECE ((size_t)256 * 1024)

static void break_up(char *memory, size_t len, size_t page) {
  for (size_t at = 0; at < len; at += page)
    memory[at] = 1; /* in the order of their addresses, so the kernel's pieces go whole */
  for (size_t at = 0; at < len; at += PIECE)
    madvise(memory + at + page, PIECE - page, MADV_DONTNEED);
}

int main(int argc, char **argv) {
  size_t len = argc == 2 ? strtoul(argv[1], NULL, 10) * 1024 * 1024 : 0;
  if (len == 0) {
    fprintf(stderr, "usage: bench_ground MIB\n");
    return 2;
  }
  char *memory =
      mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || madvise(memory, len, MADV_NOHUGEPAGE) < 0) {
    perror("bench_ground");
    return 1;
  }
  break_up(memory, len, (size_t)sysconf(_SC_PAGESIZE));
  printf("ready\n");
  fflush(stdout);
  while (getchar() != EOF)
    ;
  return 0;
}
