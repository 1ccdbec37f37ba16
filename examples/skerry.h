/**
 * Skerry's imports for C, declared by hand: one declaration per function of wit/, in the canonical ABI's flat form
 * (Component Model, CanonicalABI.md, "Flattening"). A function that is not called is not imported.
 *
 * A result that does not fit one value comes back in memory: the caller passes the address of a struct whose layout
 * is the canonical one. For wasm32, clang's layout of the structs below is the same; the assertions hold it to that.
 */
#ifndef SKERRY_H
#define SKERRY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define SKERRY_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))

/** A string or a list<u8>; when an import returned it, the caller frees it. */
typedef struct {
  uint8_t *data;
  size_t length;
} skerry_bytes;

static inline void skerry_free(skerry_bytes bytes) {
  if (bytes.length > 0) free(bytes.data); /* an empty one was never allocated */
}

/* skerry:device/sensor */

enum sensor_error { SENSOR_NOT_GRANTED, SENSOR_UNAVAILABLE, SENSOR_FAILED };

typedef struct {
  uint8_t is_error;
  union {
    int32_t handle;
    uint8_t error; /* enum sensor_error */
  };
} sensor_open_result;

typedef struct {
  uint8_t is_error;
  union {
    struct {
      double value;
      skerry_bytes unit;
      uint64_t time_ns;
    } reading;
    uint8_t error; /* enum sensor_error */
  };
} sensor_read_result;

_Static_assert(sizeof(sensor_open_result) == 8, "result<own<sensor>, error-code>");
_Static_assert(sizeof(sensor_read_result) == 32, "result<reading, error-code>");

SKERRY_IMPORT("skerry:device/sensor@0.1.0", "open")
void sensor_open(const char *name, size_t length, sensor_open_result *result);
SKERRY_IMPORT("skerry:device/sensor@0.1.0", "[method]sensor.read")
void sensor_read(int32_t sensor, sensor_read_result *result);
SKERRY_IMPORT("skerry:device/sensor@0.1.0", "[resource-drop]sensor")
void sensor_drop(int32_t sensor);

/* skerry:device/serial */

enum serial_error {
  SERIAL_NOT_GRANTED,
  SERIAL_BUSY,
  SERIAL_UNAVAILABLE,
  SERIAL_OVERRUN,
  SERIAL_TIMED_OUT,
  SERIAL_INVALID_ARGUMENT,
  SERIAL_FAILED
};

typedef struct {
  uint8_t is_error;
  union {
    int32_t handle;
    uint8_t error; /* enum serial_error */
  };
} serial_open_result;

typedef struct {
  uint8_t is_error;
  union {
    skerry_bytes bytes;
    uint8_t error; /* enum serial_error */
  };
} serial_read_result;

typedef struct {
  uint8_t is_error;
  union {
    uint32_t written;
    uint8_t error; /* enum serial_error */
  };
} serial_write_result;

_Static_assert(sizeof(serial_read_result) == 12, "result<list<u8>, error-code>");
_Static_assert(sizeof(serial_write_result) == 8, "result<u32, error-code>");

SKERRY_IMPORT("skerry:device/serial@0.1.0", "open")
void serial_open(const char *name, size_t length, serial_open_result *result);
SKERRY_IMPORT("skerry:device/serial@0.1.0", "[method]port.read")
void serial_read(int32_t port, uint32_t max_bytes, uint32_t timeout_ms, serial_read_result *result);
SKERRY_IMPORT("skerry:device/serial@0.1.0", "[method]port.write")
void serial_write(int32_t port, const uint8_t *data, size_t length, serial_write_result *result);
SKERRY_IMPORT("skerry:device/serial@0.1.0", "[resource-drop]port")
void serial_drop(int32_t port);

/* skerry:module/messaging */

enum messaging_error {
  MESSAGING_NOT_GRANTED,
  MESSAGING_INVALID_TOPIC,
  MESSAGING_TOO_LARGE,
  MESSAGING_RATE_LIMITED,
  MESSAGING_UNAVAILABLE
};

typedef struct {
  uint8_t is_error;
  uint8_t error; /* enum messaging_error */
} messaging_publish_result;

_Static_assert(sizeof(messaging_publish_result) == 2, "result<_, error-code>");

SKERRY_IMPORT("skerry:module/messaging@0.1.0", "publish")
void messaging_publish(const char *topic, size_t topic_length, const void *payload, size_t payload_length,
                       messaging_publish_result *result);

/** The host calls this to place strings and lists that an import returns. Include this header in one C file only. */
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t alignment,
                                                                size_t new_size) {
  (void)old_size;
  if (new_size == 0) return (void *)alignment;
  void *memory = realloc(old, new_size);
  if (memory == NULL) abort();
  return memory;
}

#endif
