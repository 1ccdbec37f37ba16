/**
 * The component of `npm run bench -- sandbox`: next to no work of its own, so that what is timed is the host's. Freestanding, in
 * the canonical ABI's flat form (Component Model, CanonicalABI.md, "Flattening"); world: calls.wit.
 */
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define INTERFACE "skerry:bench/calls#"

typedef struct {
  const char *data;
  size_t length;
} string;

typedef struct {
  double value;
  string unit;
  uint64_t time_ns;
} reading;

_Static_assert(sizeof(reading) == 24, "record reading");

__attribute__((import_module("skerry:bench/probe"), import_name("sample"))) void sample(uint32_t channel,
                                                                                        reading *result);

/** Holds what the host places in one call; it starts over when the call is done with it. */
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

EXPORT(INTERFACE "stats") double stats(const double *values, size_t count) {
  double sum = 0;
  for (size_t index = 0; index < count; index++) sum += values[index];
  arena_used = 0;
  return sum / (double)count;
}

EXPORT(INTERFACE "measure") double measure(uint32_t channel) {
  reading result;
  sample(channel, &result);
  arena_used = 0;
  return result.value;
}
