/**
 * A thermostat without hardware: the operator sends it a setpoint, acme/thermo's telemetry tells it the temperature,
 * and it publishes whether the heating is on, whenever that or the setpoint changes.
 *
 * A reactor in C: its exports are named as the canonical ABI wants it, `<interface>#<function>`.
 */
#include "../skerry.h"

#include <stdio.h>
#include <string.h>

#define HYSTERESIS 0.5
#define MIN_SETPOINT 5.0
#define MAX_SETPOINT 30.0

#define EXPORT(name) __attribute__((export_name(name)))

/** `result<_, string>` */
typedef struct {
  uint8_t is_error;
  const char *error;
  size_t error_length;
} answer;

_Static_assert(sizeof(answer) == 12, "result<_, string>");

static double setpoint = 20.0;
static int is_on;

/** The one answer that is under way: the host has read it before it calls again. */
static const answer *answer_of(const char *error) {
  static answer current;
  current = (answer){error != NULL, error, error == NULL ? 0 : strlen(error)};
  return &current;
}

static const char *publish(void) {
  static const char topic[] = "telemetry/heating";
  char json[64];
  int length = snprintf(json, sizeof json, "{\"on\":%s,\"setpoint\":%.1f}", is_on ? "true" : "false", setpoint);
  messaging_publish_result result;
  messaging_publish(topic, sizeof topic - 1, json, (size_t)length, &result);
  return result.is_error ? "the heating's state could not be published" : NULL;
}

static const char *set_setpoint(const char *text) {
  char *end;
  double wanted = strtod(text, &end);
  if (end == text || *end != '\0' || !(wanted >= MIN_SETPOINT && wanted <= MAX_SETPOINT)) {
    return "a setpoint is a number from 5 to 30, in degrees Celsius";
  }
  setpoint = wanted;
  return publish();
}

/** acme/thermo publishes `{"value":21.5,…}`. */
static const char *set_temperature(const char *json) {
  static const char key[] = "\"value\":";
  const char *value = strstr(json, key);
  if (value == NULL) return "the temperature has no value";
  double temperature = strtod(value + sizeof key - 1, NULL);
  int wanted = is_on ? temperature < setpoint + HYSTERESIS : temperature < setpoint - HYSTERESIS;
  if (wanted == is_on) return NULL;
  is_on = wanted;
  return publish();
}

EXPORT("skerry:module/lifecycle@0.1.0#init") const answer *init(void) { return answer_of(publish()); }

EXPORT("skerry:module/lifecycle@0.1.0#health") const answer *health(void) { return answer_of(NULL); }

/** Topic and payload are ours: the host had cabi_realloc make room for them. */
EXPORT("skerry:module/message-handler@0.1.0#on-message")
const answer *on_message(char *topic, size_t topic_length, uint8_t *payload, size_t length) {
  const char *error = "no memory";
  char *text = malloc(length + 1);
  if (text != NULL) {
    memcpy(text, payload, length);
    text[length] = '\0';
    int is_setpoint = topic_length == strlen("message/setpoint") && memcmp(topic, "message/setpoint", topic_length) == 0;
    error = is_setpoint ? set_setpoint(text) : set_temperature(text);
    free(text);
  }
  skerry_free((skerry_bytes){(uint8_t *)topic, topic_length});
  skerry_free((skerry_bytes){payload, length});
  return answer_of(error);
}
