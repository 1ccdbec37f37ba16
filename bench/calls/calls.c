/**
 * The component of `npm run bench -- sandbox`: next to no work of its own, so that what is timed is the host's. Freestanding, in
 * the canonical ABI's flat form (Component Model, CanonicalABI.md, "Flattening"); world: calls.wit.
 */
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define INTERFACE "skerry:bench/calls#"

typedef struct {
  double value;
  uint64_t time_ns;
} reading;

typedef struct {
  const char *data;
  size_t length;
} string;

typedef struct {
  double minimum;
  double maximum;
  double mean;
} summary;

_Static_assert(sizeof(reading) == 16, "record reading");
_Static_assert(sizeof(summary) == 24, "record summary");

__attribute__((import_module("skerry:bench/probe"), import_name("sample"))) void sample(uint32_t channel,
                                                                                        reading *result);

/** Holds the arguments of one call; it starts over when the call is done with them. */
static _Alignas(16) uint8_t arena[16384];
static size_t arena_used;

EXPORT("cabi_realloc") void *cabi_realloc(void *old, size_t old_size, size_t alignment, size_t new_size) {
  (void)old;
  (void)old_size;
  size_t start = (arena_used + alignment - 1) & ~(alignment - 1);
  if (start + new_size > sizeof(arena)) __builtin_trap();
  arena_used = start + new_size;
  return arena + start;
}

EXPORT(INTERFACE "add") uint32_t add(uint32_t a, uint32_t b) {
  return a + b;
}

EXPORT(INTERFACE "echo") string *echo(const char *data, size_t length) {
  static string result;
  result = (string){data, length};
  return &result;
}

EXPORT("cabi_post_" INTERFACE "echo") void after_echo(string *result) {
  (void)result;
  arena_used = 0;
}

EXPORT(INTERFACE "stats") summary *stats(const double *values, size_t count) {
  static summary result;
  result = (summary){values[0], values[0], 0};
  double sum = 0;
  for (size_t index = 0; index < count; index++) {
    double value = values[index];
    if (value < result.minimum) result.minimum = value;
    if (value > result.maximum) result.maximum = value;
    sum += value;
  }
  result.mean = sum / (double)count;
  arena_used = 0;
  return &result;
}

EXPORT(INTERFACE "measure") double measure(uint32_t channel) {
  reading result;
  sample(channel, &result);
  return result.value;
}
