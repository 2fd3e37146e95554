/* The files of page/, as the build embeds them. */
#ifndef SERVER_PAGES_H
#define SERVER_PAGES_H

/* A file and where it is served. All pointers are borrowed, from static memory. */
typedef struct Page {
  const char *path;
  const char *type; /* its Content-Type */
  const unsigned char *data;
  const unsigned long *len; /* of data [octets] */
} Page;

/* NULL: no file is served at this path. */
const Page *pages_find(const char *path);

#endif
