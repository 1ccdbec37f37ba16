/**
 * A thermometer: samples the sensor "ambient" and publishes each sample as JSON on telemetry/temperature.
 *
 * A command (its main loops and sleeps). THERMO_PERIOD_MS sets the time between two samples: 10 to 3600000,
 * 1000 unless said. Three versions are built from this one source, to have something to update:
 *
 * - 1.0.0 samples and publishes;
 * - 1.1.0 adds "avg", the average of the last eight samples;
 * - 1.2.0 adds "trend", with a bug that a quick look at the bench does not find: at the third sample it divides by
 *   zero, which traps. A device has to notice that in the trial and go back to 1.1.0.
 */
#include "../skerry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#ifndef THERMO_VERSION
#define THERMO_VERSION "1.0.0"
#define THERMO_MINOR 0
#endif

#define SENSOR_NAME "ambient"
#define TOPIC "telemetry/temperature"
#define WINDOW 8
#define SAMPLES_PER_LOG_LINE 10

/** The last samples, in thousandths of the unit: integers keep the printing of floating point out of the module. */
typedef struct {
  int32_t milli[WINDOW];
  int32_t count; /* all that were ever added */
} history;

static void add(history *samples, int32_t milli) {
  samples->milli[samples->count % WINDOW] = milli;
  samples->count++;
}

#if THERMO_MINOR >= 1
static int32_t average(const history *samples) {
  const int32_t in_window = samples->count < WINDOW ? samples->count : WINDOW;
  int64_t sum = 0;
  for (int32_t i = 0; i < in_window; i++) sum += samples->milli[i];
  return (int32_t)(sum / in_window);
}
#endif

#if THERMO_MINOR >= 2
/** Change per sample between the oldest and the newest in the window. */
static int32_t trend(const history *samples) {
  const int32_t newest = samples->milli[(samples->count - 1) % WINDOW];
  const int32_t oldest = samples->milli[samples->count < WINDOW ? 0 : samples->count % WINDOW];
  /* The bug: the number of samples between the two: at most WINDOW - 1, at least one. */
  return (newest - oldest) / (samples->count - 3);
}
#endif

typedef struct {
  char text[16];
} decimal;

/** Thousandths as text: -12345 is "-12.345". */
static decimal decimal_of(int32_t milli) {
  const uint32_t magnitude = milli < 0 ? 0u - (uint32_t)milli : (uint32_t)milli;
  decimal out;
  snprintf(out.text, sizeof out.text, "%s%u.%03u", milli < 0 ? "-" : "", (unsigned)(magnitude / 1000),
           (unsigned)(magnitude % 1000));
  return out;
}

static const char *sensor_error_text(uint8_t error) {
  switch (error) {
    case SENSOR_NOT_GRANTED: return "not granted by the device's policy";
    case SENSOR_UNAVAILABLE: return "not there at the moment";
    default: return "its read failed";
  }
}

static uint32_t period_ms(void) {
  const char *text = getenv("THERMO_PERIOD_MS");
  if (text == NULL) return 1000;
  const long value = strtol(text, NULL, 10);
  if (value >= 10 && value <= 3600000) return (uint32_t)value;
  printf("THERMO_PERIOD_MS is \"%s\", not 10 to 3600000: sampling each second\n", text);
  return 1000;
}

static void sleep_ms(uint32_t milliseconds) {
  const struct timespec time = {.tv_sec = milliseconds / 1000, .tv_nsec = (long)(milliseconds % 1000) * 1000000};
  nanosleep(&time, NULL);
}

/** Publishes one sample. Returns whether the module can go on: a grant that is missing will not come. */
static int publish(const history *samples, int32_t milli, skerry_bytes unit, uint64_t time_ns) {
  char json[192];
  int used = snprintf(json, sizeof json, "{\"value\":%s", decimal_of(milli).text);
#if THERMO_MINOR >= 1
  used += snprintf(json + used, sizeof json - used, ",\"avg\":%s", decimal_of(average(samples)).text);
#endif
#if THERMO_MINOR >= 2
  used += snprintf(json + used, sizeof json - used, ",\"trend\":%s", decimal_of(trend(samples)).text);
#endif
  used += snprintf(json + used, sizeof json - used, ",\"unit\":\"%.*s\",\"sample\":%d,\"timeMs\":%llu}",
                   unit.length < 16 ? (int)unit.length : 16, (const char *)unit.data, (int)samples->count,
                   (unsigned long long)(time_ns / 1000000));

  messaging_publish_result result;
  messaging_publish(TOPIC, strlen(TOPIC), json, (size_t)used, &result);
  if (!result.is_error) return 1;
  printf("sample %d was not published (error %d)\n", (int)samples->count, result.error);
  return result.error != MESSAGING_NOT_GRANTED && result.error != MESSAGING_INVALID_TOPIC;
}

/** Takes one sample and publishes it. Returns whether the module can go on. */
static int sample(int32_t sensor, history *samples) {
  sensor_read_result result;
  sensor_read(sensor, &result);
  if (result.is_error) {
    printf("sensor %s: %s\n", SENSOR_NAME, sensor_error_text(result.error));
    return result.error != SENSOR_NOT_GRANTED;
  }
  const double scaled = result.reading.value * 1000.0;
  if (!(scaled > -2147483000.0 && scaled < 2147483000.0)) {
    printf("sensor %s: a reading out of any range\n", SENSOR_NAME);
    skerry_free(result.reading.unit);
    return 1;
  }
  const int32_t milli = (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  add(samples, milli);
  const int go_on = publish(samples, milli, result.reading.unit, result.reading.time_ns);
  if (samples->count % SAMPLES_PER_LOG_LINE == 1) {
    printf("sample %d: %s\n", (int)samples->count, decimal_of(milli).text);
  }
  skerry_free(result.reading.unit);
  return go_on;
}

int main(void) {
  const uint32_t period = period_ms();
  printf("thermo %s: sensor %s every %u ms\n", THERMO_VERSION, SENSOR_NAME, (unsigned)period);

  sensor_open_result opened;
  for (;;) {
    sensor_open(SENSOR_NAME, strlen(SENSOR_NAME), &opened);
    if (!opened.is_error) break;
    printf("sensor %s: %s\n", SENSOR_NAME, sensor_error_text(opened.error));
    if (opened.error == SENSOR_NOT_GRANTED) return 1;
    fflush(stdout);
    sleep_ms(period);
  }

  static history samples;
  while (sample(opened.handle, &samples)) {
    fflush(stdout); /* a log line that waits in a buffer helps nobody */
    sleep_ms(period);
  }
  sensor_drop(opened.handle);
  return 1;
}
