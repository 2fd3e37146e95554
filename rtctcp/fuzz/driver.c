/* Drives a fuzz target where there is no libFuzzer: runs the inputs it is given, then mutants of
 * them, and prints the input that the target died of.
 *
 *   fuzz_NAME [-mutate N] [-seed S] [-seconds S] [FILE | DIRECTORY]...
 *
 * -mutate N   run N mutants (default: none)
 * -seconds S  ... but begin no more after S seconds
 * -seed S     the same seed and the same inputs give the same mutants (default: random; printed)
 *
 * With libFuzzer the target is built without this file:
 *   clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Irtctcp/include -Irtctcp/src \
 *     rtctcp/fuzz/fuzz_rtp.c rtctcp/src/protocol/rtp.c rtctcp/src/protocol/demux.c */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

#define MUTANT_MAX      ((size_t)4096) /* a longer input is mutated in its beginning [octets] */
#define FILE_MAX        ((size_t)1 << 20)
#define INPUT_SECONDS   10 /* an input that takes longer is a finding */
#define MUTATIONS_MAX   8  /* of one mutant */
#define LITTLE          16 /* octets that one insertion or erasure is about, at most */
#define CLOCK_EVERY     64 /* mutants between two looks at the clock */
#define HEX_PER_LINE    32
#define array_len(list) (sizeof(list) / sizeof((list)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* -- Running one input -- */

/* What a signal handler prints. */
static struct {
  const uint8_t *data; /* borrowed: the input that runs; NULL: none */
  size_t len;          /* [octets] */
  uint64_t seed;
} running;

static void print(const char *text) {
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

/* Async-signal-safe: it runs in the handler of whatever the target has done. */
static void print_running(void) {
  const uint8_t *data = running.data;
  if (!data)
    return;
  running.data = NULL;
  char number[32];
  char *digit = number + sizeof(number) - 1;
  *digit = '\0';
  uint64_t rest = running.seed;
  do
    *--digit = (char)('0' + rest % 10);
  while (rest /= 10);
  print("\n-- seed ");
  print(digit);
  print("; the input (xxd -r -p makes a file of it):\n");
  for (size_t i = 0; i < running.len; i++) {
    const char *hex = "0123456789abcdef";
    bool line_ends = i % HEX_PER_LINE == HEX_PER_LINE - 1;
    print((char[]){hex[data[i] >> 4], hex[data[i] & 15], line_ends ? '\n' : '\0', '\0'});
  }
  print("\n");
}

static void on_signal(int number) {
  if (number == SIGALRM)
    print("\n-- the input takes too long\n");
  print_running();
  if (number == SIGALRM)
    _exit(EXIT_FAILURE);
  /* The handler was reset: the fault repeats, or abort goes on, and ends the process. */
}

static void watch(void) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(print_running);
  const int signals[] = {SIGABRT, SIGALRM};
#else
  const int signals[] = {SIGABRT, SIGALRM, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#endif
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  for (size_t i = 0; i < array_len(signals); i++)
    sigaction(signals[i], &action, NULL);
}

static void *must(void *allocated) {
  if (!allocated) {
    fprintf(stderr, "out of memory\n");
    exit(EXIT_FAILURE);
  }
  return allocated;
}

/* The target gets a copy of the input's own size, so that a read beyond it is seen. */
static void run(const uint8_t *data, size_t len) {
  uint8_t *copy = must(malloc(len > 0 ? len : 1));
  if (len > 0)
    memcpy(copy, data, len);
  running.len = len;
  running.data = copy;
  alarm(INPUT_SECONDS);
  (void)LLVMFuzzerTestOneInput(copy, len);
  alarm(0);
  running.data = NULL;
  free(copy);
}

/* -- The corpus -- */

typedef struct Input {
  uint8_t *data; /* owned */
  size_t len;    /* [octets] */
} Input;

typedef struct Corpus {
  Input *inputs; /* owned */
  size_t count;
} Corpus;

static void corpus_add(Corpus *corpus, uint8_t *data, size_t len) {
  corpus->inputs = must(realloc(corpus->inputs, (corpus->count + 1) * sizeof(Input)));
  corpus->inputs[corpus->count++] = (Input){.data = data, .len = len};
}

static void corpus_finish(Corpus *corpus) {
  for (size_t i = 0; i < corpus->count; i++)
    free(corpus->inputs[i].data);
  free(corpus->inputs);
}

static bool load_file(Corpus *corpus, const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file)
    return false;
  uint8_t *data = must(malloc(FILE_MAX));
  size_t len = fread(data, 1, FILE_MAX, file);
  bool failed = ferror(file);
  fclose(file);
  if (failed) {
    free(data);
    return false;
  }
  corpus_add(corpus, must(realloc(data, len > 0 ? len : 1)), len);
  return true;
}

static int is_visible(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

/* In the order of names, so that a seed means the same on every machine. */
static bool load_directory(Corpus *corpus, const char *path) {
  struct dirent **entries;
  int count = scandir(path, &entries, is_visible, alphasort);
  bool good = count >= 0;
  for (int i = 0; i < count; i++) {
    char *inner;
    if (asprintf(&inner, "%s/%s", path, entries[i]->d_name) < 0)
      inner = must(NULL);
    good = load_file(corpus, inner) && good;
    free(inner);
    free(entries[i]);
  }
  if (count >= 0)
    free(entries);
  return good;
}

static bool load(Corpus *corpus, const char *path) {
  struct stat status;
  bool good = stat(path, &status) == 0 &&
              (S_ISDIR(status.st_mode) ? load_directory(corpus, path) : load_file(corpus, path));
  if (!good)
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
  return good;
}

/* -- Mutation -- */

typedef struct Mutant {
  uint64_t random; /* state of the generator */
  uint8_t data[MUTANT_MAX];
  size_t len; /* [octets] */
} Mutant;

/* splitmix64 */
static uint64_t next_random(Mutant *mutant) {
  uint64_t z = mutant->random += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

/* 0 to below - 1; 0 for 0. */
static size_t pick(Mutant *mutant, size_t below) {
  return below > 0 ? (size_t)(next_random(mutant) % below) : 0;
}

static size_t min_size(size_t a, size_t b) {
  return a < b ? a : b;
}

static void flip_bit(Mutant *mutant) {
  if (mutant->len > 0)
    mutant->data[pick(mutant, mutant->len)] ^= (uint8_t)(1u << pick(mutant, 8));
}

static void set_octet(Mutant *mutant) {
  if (mutant->len > 0)
    mutant->data[pick(mutant, mutant->len)] = (uint8_t)next_random(mutant);
}

static void truncate_end(Mutant *mutant) {
  mutant->len = pick(mutant, mutant->len + 1);
}

/* Writes what breaks a length field, in one, two or four octets of network byte order. */
static void set_length_extreme(Mutant *mutant) {
  size_t len = mutant->len;
  const uint64_t extremes[] = {0,       1,      2,      3,          4,          0x7F,      0x80,
                               0xFF,    0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, len - 1,   len + 1,
                               len / 4, len,    0xFFFF, 0xFFFE,     0xFFFFFFFF, 0xFFFFFFFC};
  uint64_t value = extremes[pick(mutant, array_len(extremes))];
  size_t width = (size_t)1 << pick(mutant, 3);
  if (len < width)
    return;
  size_t at = pick(mutant, len - width + 1);
  for (size_t i = width; i-- > 0; value >>= 8)
    mutant->data[at + i] = (uint8_t)value;
}

/* Opens a gap of at most len octets at a random place, as far as there is room. */
static size_t open_gap(Mutant *mutant, size_t *len) {
  *len = min_size(*len, MUTANT_MAX - mutant->len);
  size_t at = pick(mutant, mutant->len + 1);
  memmove(mutant->data + at + *len, mutant->data + at, mutant->len - at);
  mutant->len += *len;
  return at;
}

static void insert_octets(Mutant *mutant) {
  size_t len = 1 + pick(mutant, LITTLE);
  bool same = pick(mutant, 2);
  size_t at = open_gap(mutant, &len);
  uint8_t octet = (uint8_t)next_random(mutant);
  for (size_t i = 0; i < len; i++)
    mutant->data[at + i] = same ? octet : (uint8_t)next_random(mutant);
}

static void erase_octets(Mutant *mutant) {
  size_t at = pick(mutant, mutant->len);
  size_t len = min_size(1 + pick(mutant, LITTLE), mutant->len - at);
  memmove(mutant->data + at, mutant->data + at + len, mutant->len - at - len);
  mutant->len -= len;
}

static void repeat_octets(Mutant *mutant) {
  uint8_t copy[MUTANT_MAX];
  size_t from = pick(mutant, mutant->len);
  size_t len = pick(mutant, mutant->len - from + 1);
  memcpy(copy, mutant->data + from, len);
  size_t at = open_gap(mutant, &len);
  memcpy(mutant->data + at, copy, len);
}

static void (*const mutations[])(Mutant *) = {
    flip_bit,           set_octet,     truncate_end, set_length_extreme,
    set_length_extreme, insert_octets, erase_octets, repeat_octets,
};

/* The beginning of what is there, then the end of another input. */
static void splice(Mutant *mutant, const Corpus *corpus) {
  const Input *other = &corpus->inputs[pick(mutant, corpus->count)];
  truncate_end(mutant);
  size_t from = pick(mutant, other->len + 1);
  size_t len = min_size(other->len - from, MUTANT_MAX - mutant->len);
  memcpy(mutant->data + mutant->len, other->data + from, len);
  mutant->len += len;
}

static void make_mutant(Mutant *mutant, const Corpus *corpus) {
  const Input *input = &corpus->inputs[pick(mutant, corpus->count)];
  mutant->len = min_size(input->len, MUTANT_MAX);
  memcpy(mutant->data, input->data, mutant->len);
  if (pick(mutant, 8) == 0)
    splice(mutant, corpus);
  size_t count = 1 + pick(mutant, MUTATIONS_MAX);
  for (size_t i = 0; i < count; i++)
    mutations[pick(mutant, array_len(mutations))](mutant);
}

/* -- The program -- */

typedef struct Options {
  uint64_t mutants;
  uint64_t seconds; /* 0: no limit */
  uint64_t seed;
} Options;

static double now_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t run_mutants(const Corpus *corpus, const Options *options) {
  Mutant mutant = {.random = options->seed};
  double end_s = now_s() + (double)options->seconds;
  uint64_t done = 0;
  for (; done < options->mutants; done++) {
    if (options->seconds > 0 && done % CLOCK_EVERY == 0 && now_s() >= end_s)
      break;
    make_mutant(&mutant, corpus);
    run(mutant.data, mutant.len);
  }
  return done;
}

static bool parse_number(uint64_t *number, const char *text) {
  char *end;
  errno = 0;
  unsigned long long parsed = strtoull(text ? text : "", &end, 10);
  if (errno || end == text || !text || *end != '\0')
    return false;
  *number = parsed;
  return true;
}

/* Reads options and loads the inputs. argv ends in NULL. */
static bool parse_arguments(char **argv, Options *options, Corpus *corpus) {
  bool good = true;
  for (char **argument = argv + 1; good && *argument; argument++) {
    uint64_t *number = strcmp(*argument, "-mutate") == 0    ? &options->mutants
                       : strcmp(*argument, "-seed") == 0    ? &options->seed
                       : strcmp(*argument, "-seconds") == 0 ? &options->seconds
                                                            : NULL;
    if (!number) {
      good = load(corpus, *argument);
    } else if (!parse_number(number, *++argument)) {
      fprintf(stderr, "%s wants a number\n", argument[-1]);
      good = false;
    }
  }
  return good;
}

int main(int argc, char **argv) {
  (void)argc;
  Options options = {0};
  Corpus corpus = {0};
  if (getrandom(&options.seed, 4, 0) != 4)
    options.seed = (uint64_t)time(NULL);
  corpus_add(&corpus, must(malloc(1)), 0); /* the empty input is always one */
  int status = EXIT_FAILURE;
  if (!parse_arguments(argv, &options, &corpus))
    goto finish;

  running.seed = options.seed;
  watch();
  double begin_s = now_s();
  for (size_t i = 0; i < corpus.count; i++)
    run(corpus.inputs[i].data, corpus.inputs[i].len);
  uint64_t mutants = run_mutants(&corpus, &options);
  printf("%zu inputs, %" PRIu64 " mutants, seed %" PRIu64 ", %.1f s\n", corpus.count, mutants,
         options.seed, now_s() - begin_s);
  status = EXIT_SUCCESS;
finish:
  corpus_finish(&corpus);
  return status;
}
