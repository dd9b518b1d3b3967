/* Stands in for osascript: writes the time at which it was started, its target and its text to the FIFO beside it, and ends. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
#ifdef __APPLE__
  const clockid_t clock = CLOCK_MONOTONIC_RAW; /* mach_continuous_time, as process.hrtime */
#else
  const clockid_t clock = CLOCK_MONOTONIC; /* as process.hrtime */
#endif
  struct timespec now;
  char path[4096], line[4096];
  clock_gettime(clock, &now);
  if (argc < 1 || strlen(argv[0]) > sizeof path - 8) return 2;
  snprintf(path, sizeof path, "%s.fifo", argv[0]);
  int fifo = open(path, O_WRONLY);
  if (fifo < 0) return 3;
  int length = snprintf(line, sizeof line, "%lld\t%s\t%s\n", (long long)now.tv_sec * 1000000000LL + now.tv_nsec,
                        argc > 5 ? argv[5] : "", argc > 5 ? argv[4] : "");
  if (length >= (int)sizeof line) return 5;
  return write(fifo, line, length) == length ? 0 : 4;
}
